"""The workers as the scheduler sees them: what each offers, holds and last said."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from iamine.ids import JobId, ModelId, WorkerId
from iamine.wire.messages import ModelOffer
from pool.routing.choose import Candidate

STEP_WEIGHT = 0.2  # of the newest decode step in a worker's moving average


@dataclass(slots=True)
class WorkerState:
    """One live worker. `running` maps its jobs to the file that serves each; times are monotonic seconds."""

    worker: WorkerId
    offers: dict[str, ModelOffer]
    heard_at: float
    ready: bool = True
    draining: bool = False
    running: dict[JobId, str] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)  # how many of `running` each file's engine serves
    busy_since: float = 0.0
    step_s: float = 0.0
    stepped_at: float = 0.0

    @property
    def usable(self) -> bool:
        """Whether it takes new work."""
        return self.ready and not self.draining

    def holds(self, file_sha256: str) -> int:
        """How many sequences this file's engine serves now."""
        return self.held.get(file_sha256, 0)

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
        self._by_model: dict[ModelId, set[WorkerId]] = {}

    def __iter__(self) -> Iterator[WorkerState]:
        return iter(list(self._workers.values()))

    def get(self, worker: WorkerId) -> WorkerState | None:
        """The worker while its link lives."""
        return self._workers.get(worker)

    def join(self, worker: WorkerId, offers: tuple[ModelOffer, ...], now: float) -> WorkerState:
        """A link is open. The worker must not be there yet."""
        state = WorkerState(worker=worker, offers={}, heard_at=now)
        self._workers[worker] = state
        self.offer(state, offers)
        return state

    def leave(self, worker: WorkerId) -> WorkerState | None:
        """The link is gone; what the worker held is told by the state that is returned."""
        state = self._workers.pop(worker, None)
        if state is not None:
            self._unindex(state)
        return state

    def offer(self, state: WorkerState, offers: tuple[ModelOffer, ...]) -> None:
        """What the worker serves from now on."""
        self._unindex(state)
        state.offers = {offer.file_sha256: offer for offer in offers}
        for offer in offers:
            self._by_model.setdefault(offer.model, set()).add(state.worker)

    def assign(self, worker: WorkerId, job: JobId, file_sha256: str, now: float) -> None:
        """The worker holds the job from now on; silence counts from its first job."""
        state = self._workers[worker]
        if not state.running:
            state.busy_since = now
            state.stepped_at = 0.0
        state.running[job] = file_sha256
        state.held[file_sha256] = state.holds(file_sha256) + 1

    def release(self, worker: WorkerId, job: JobId) -> bool:
        """The worker no longer holds the job; False when the worker itself is gone."""
        state = self._workers.get(worker)
        if state is None:
            return False
        state.held[state.running.pop(job)] -= 1
        return True

    def offering(self, model: ModelId) -> Iterator[tuple[WorkerState, ModelOffer]]:
        """Every worker and file that serves the model, busy or not."""
        for worker in sorted(self._by_model.get(model, ())):
            state = self._workers[worker]
            for offer in state.offers.values():
                if offer.model == model:
                    yield state, offer

    def has_room(self, model: ModelId) -> bool:
        """Whether any job of the model could go to some worker now."""
        for worker in self._by_model.get(model, ()):
            state = self._workers[worker]
            if state.usable:
                for offer in state.offers.values():
                    if offer.model == model and state.holds(offer.file_sha256) < offer.slots:
                        return True
        return False

    def candidates(
        self, model: ModelId, *, file_sha256: str, least_context: int, avoid: frozenset[WorkerId]
    ) -> list[Candidate]:
        """Who can take a job now: alive, ready, a free slot, the same file if the answer has begun, context enough.

        In no order.
        """
        workers = self._workers
        return [
            Candidate(worker=worker, offer=offer, running=held)
            for worker in self._by_model.get(model, ())
            if (state := workers[worker]).usable and worker not in avoid
            for offer in state.offers.values()
            if offer.model == model
            and file_sha256 in ("", offer.file_sha256)
            and offer.context_tokens >= least_context
            and (held := state.holds(offer.file_sha256)) < offer.slots
        ]

    def _unindex(self, state: WorkerState) -> None:
        for model in {offer.model for offer in state.offers.values()}:
            workers = self._by_model[model]
            workers.discard(state.worker)
            if not workers:
                del self._by_model[model]
