"""The workers as the scheduler sees them: what each offers, holds and last said, and what each is owed."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from iamine.ids import JobId, ModelId, WorkerId
from iamine.wire.messages import ModelOffer
from pool.routing.index import ModelIndex, Place
from pool.routing.kept import Away, Owed
from pool.routing.prefix import Prefixes

STEP_WEIGHT = 0.2  # of the newest decode step in a worker's moving average


@dataclass(slots=True, kw_only=True)
class WorkerState:
    """One live worker. `running` maps its jobs to the file that serves each, `held` counts them by file; `unread` are the
    prompt tokens of those that have no token yet, `backlogs` their sums by file. `changed` is told when it can take more or
    less work. Times are monotonic seconds.
    """

    worker: WorkerId
    offers: dict[str, ModelOffer]
    heard_at: float
    changed: Callable[["WorkerState"], None]
    running: dict[JobId, str] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    unread: dict[JobId, int] = field(default_factory=dict)
    backlogs: dict[str, int] = field(default_factory=dict)
    busy_since: float = 0.0
    step_s: float = 0.0
    stepped_at: float = 0.0
    served_at: float = 0.0
    _ready: bool = True
    _draining: bool = False

    @property
    def ready(self) -> bool:
        """Whether its engines can take work."""
        return self._ready

    @ready.setter
    def ready(self, value: bool) -> None:
        if value != self._ready:
            self._ready = value
            self.changed(self)

    @property
    def draining(self) -> bool:
        """Whether it takes no new jobs."""
        return self._draining

    @draining.setter
    def draining(self, value: bool) -> None:
        if value != self._draining:
            self._draining = value
            self.changed(self)

    @property
    def usable(self) -> bool:
        """Whether it takes new work."""
        return self._ready and not self._draining

    def holds(self, file_sha256: str) -> int:
        """How many sequences this file's engine serves now."""
        return self.held.get(file_sha256, 0)

    def backlog(self, file_sha256: str) -> int:
        """Prompt tokens that this file's engine has still to read."""
        return self.backlogs.get(file_sha256, 0)

    def is_read(self, job: JobId) -> bool:
        """The job's prompt is read, or nobody waits for that any more; true the first time it is told."""
        tokens = self.unread.pop(job, None)
        if tokens is None:
            return False
        self.backlogs[self.running[job]] -= tokens
        return True

    def stepped(self, now: float) -> None:
        """A decode step arrived: the moving average of the time between two."""
        if self.stepped_at:
            gap_s = now - self.stepped_at
            self.step_s += STEP_WEIGHT * (gap_s - self.step_s) if self.step_s else gap_s
        self.stepped_at = now


class Fleet:
    """All live workers, with an index by model."""

    def __init__(self) -> None:
        self._workers: dict[WorkerId, WorkerState] = {}
        self._indexes: dict[ModelId, ModelIndex] = {}
        self.prefixes = Prefixes()
        self.away = Away()

    def __iter__(self) -> Iterator[WorkerState]:
        return iter(list(self._workers.values()))

    def __len__(self) -> int:
        return len(self._workers)

    def get(self, worker: WorkerId) -> WorkerState | None:
        """The worker while its link lives."""
        return self._workers.get(worker)

    def index(self, model: ModelId) -> ModelIndex | None:
        """The model's workers; None when nobody offers it."""
        return self._indexes.get(model)

    @property
    def by_model(self) -> Mapping[ModelId, ModelIndex]:
        """All models that are offered, to look at."""
        return self._indexes

    def indexes(self, state: WorkerState) -> list[tuple[str, ModelIndex]]:
        """(file, index of its model) of all that the worker serves."""
        return [(file, self._indexes[offer.model]) for file, offer in state.offers.items()]

    def join(self, worker: WorkerId, offers: tuple[ModelOffer, ...], now: float) -> WorkerState:
        """A link is open. The worker must not be there yet."""
        state = WorkerState(worker=worker, offers={}, heard_at=now, changed=self.seat, served_at=now)
        self._workers[worker] = state
        self.offer(state, offers)
        return state

    def leave(self, worker: WorkerId) -> WorkerState | None:
        """The link is gone; what the worker held is told by the state that is returned."""
        state = self._workers.pop(worker, None)
        if state is not None:
            for file in list(state.offers):
                self._withdraw(state, file)
        return state

    def offer(self, state: WorkerState, offers: tuple[ModelOffer, ...]) -> None:
        """What the worker serves from now on. A file that it served before keeps its deficit."""
        wanted = {offer.file_sha256: offer for offer in offers}
        for file, before in list(state.offers.items()):
            if file not in wanted or wanted[file].model != before.model:
                self._withdraw(state, file)
        for file, offer in wanted.items():
            holder = state.worker, file
            index = self._indexes.setdefault(offer.model, ModelIndex())
            if file in state.offers:
                index.renew(holder, offer)
            else:
                index.add(Place(state.worker, offer, self.away.back(holder)))
            state.offers[file] = offer
        self.seat(state)

    def seat(self, state: WorkerState) -> None:
        """The worker can take more or less than before."""
        for file in state.offers:
            self._seat(state, file)

    def _seat(self, state: WorkerState, file: str) -> None:
        """So can one of its engines; a file that it has dropped meanwhile has no place."""
        if file in state.offers:
            index = self._indexes[state.offers[file].model]
            place = index.places[state.worker, file]
            index.seat(place, running=state.holds(file), backlog_tokens=state.backlog(file), usable=state.usable)

    def assign(self, worker: WorkerId, job: JobId, file_sha256: str, now: float, unread_tokens: int = 0) -> None:
        """The worker holds the job from now on; silence counts from its first job."""
        state = self._workers[worker]
        if not state.running:
            state.busy_since = now
            state.stepped_at = 0.0
        state.running[job] = file_sha256
        state.held[file_sha256] = state.holds(file_sha256) + 1
        state.unread[job] = unread_tokens
        state.backlogs[file_sha256] = state.backlog(file_sha256) + unread_tokens
        state.served_at = now
        self._seat(state, file_sha256)

    def read(self, worker: WorkerId, job: JobId) -> bool:
        """The job has tokens, so its prompt is read; true the first time it is told."""
        state = self._workers[worker]
        if not state.is_read(job):
            return False
        self._seat(state, state.running[job])
        return True

    def release(self, worker: WorkerId, job: JobId) -> bool:
        """The worker no longer holds the job; False when the worker itself is gone."""
        state = self._workers.get(worker)
        if state is None:
            return False
        state.is_read(job)
        file_sha256 = state.running.pop(job)
        state.held[file_sha256] -= 1
        self._seat(state, file_sha256)
        return True

    def offering(self, model: ModelId) -> Iterator[tuple[WorkerState, ModelOffer]]:
        """Every worker and file that serves the model, busy or not."""
        index = self._indexes.get(model)
        for worker, file in sorted(index.places) if index else ():
            state = self._workers[worker]
            yield state, state.offers[file]

    # ---- what is owed -------------------------------------------------------------------------------------------------

    def restore(self, worker: WorkerId, deficits_ns: Mapping[str, int]) -> None:
        """What the worker was owed when it was last here, by file; what it has gained since it joined is added."""
        state = self._workers.get(worker)
        for file, deficit_ns in deficits_ns.items():
            if state is not None and file in state.offers and self.away.is_new((worker, file)):
                self._indexes[state.offers[file].model].places[worker, file].shift(deficit_ns)

    def owed(self) -> tuple[Owed, ...]:
        """What has changed enough to be kept, of those who are here and those who left."""
        indexes = self._indexes.values()
        here = {holder: place.deficit_ns - index.mean_ns for index in indexes for holder, place in index.places.items()}
        return self.away.owed(here)

    def age(self, factor: float) -> None:
        """All deficits shrink; by the factor 1 only their mean is worked out."""
        for index in self._indexes.values():
            if factor == 1.0:
                index.level()
            else:
                index.age(factor)

    def _withdraw(self, state: WorkerState, file: str) -> None:
        offer = state.offers.pop(file)
        index = self._indexes[offer.model]
        holder = state.worker, file
        self.away.left(holder, index.drop(holder))
        self.prefixes.forget(holder)
        if not index.places:
            del self._indexes[offer.model]
