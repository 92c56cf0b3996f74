"""The board: every job that is not over, who holds it, and the moves that the scheduler makes on it."""

import math
from collections import Counter
from dataclasses import dataclass, field

from iamine.ids import AccountId, JobId, ModelId, WorkerId
from pool.routing.choose import Choice, choose
from pool.routing.effects import CancelAt, Effect, RefusalCode, Refuse, Send
from pool.routing.fleet import Fleet
from pool.routing.lifecycle import JobState, JobStep, step
from pool.routing.queue import FairQueue
from pool.routing.types import JobOrder, Queued

USUAL_OUTPUT_TOKENS = 256  # for estimates only, when a client asks for as much as there is room for


@dataclass(slots=True)
class JobRecord:
    """A job that is not over. `file_sha256` is fixed by the first token; `losses` are the workers lost since progress.

    `links_lost`: how many links with it were lost since progress; machines go for reasons of their own.
    """

    order: JobOrder
    deadline_s: float
    progressed_at: float
    state: JobState = JobState.QUEUED
    epoch: int = 0
    worker: WorkerId | None = None
    file_sha256: str = ""
    template_sha256: str = ""
    tokens: int = 0
    begun: bool = False
    losses: list[WorkerId] = field(default_factory=list)
    links_lost: int = 0
    least_context: int = 0


class Board:
    """Jobs, queues and the fleet. The counts agree after every move."""

    def __init__(self) -> None:
        self.fleet = Fleet()
        self.jobs: dict[JobId, JobRecord] = {}
        self.queues: dict[ModelId, FairQueue] = {}
        self._running: dict[tuple[ModelId, AccountId], int] = {}

    def enter(self, record: JobRecord) -> None:
        """A new job joins its account's line."""
        self.jobs[record.order.job] = record
        self._queue(record.order.model).push(record.order.job, record.order.account)

    @property
    def queued(self) -> int:
        """Jobs that wait."""
        return sum(len(queue) for queue in self.queues.values())

    def excess(self, account: AccountId) -> JobRecord:
        """Whose job goes when the queue is too long: the newest of the account with the most waiting, of equals `account`.

        A job of `account` must wait. What a worker has begun already is never given up for this.
        """
        counts: Counter[AccountId] = Counter()
        for queue in self.queues.values():
            counts.update(dict(queue.lengths()))
        worst = max(counts, key=lambda name: (counts[name], name == account))
        records = reversed(self.jobs.values())
        return next(one for one in records if one.order.account == worst and one.state is JobState.QUEUED and not one.epoch)

    def places(self) -> dict[JobId, Queued]:
        """Where every queued job stands and about how long it will take to be its turn."""
        return {
            job: Queued(position=position, estimate_s=self._estimate(model, position))
            for model, queue in self.queues.items()
            for position, job in enumerate(queue.order(self._served(model)), start=1)
        }

    def wait_s(self, model: ModelId) -> float | None:
        """About how long one more job of the model would wait; None when nobody can serve it or nobody can tell."""
        queued = len(self.queues.get(model, ()))
        if not queued and self.fleet.candidates(model, file_sha256="", least_context=0, avoid=frozenset()):
            return 0.0
        return self._estimate(model, queued + 1)

    def fill(self, model: ModelId, now: float) -> list[Effect]:
        """Give queued jobs of the model to free slots, in fair order, until no slot or no fitting job is left."""
        effects: list[Effect] = []
        queue = self.queues.get(model)
        if queue is None:
            return effects
        while sent := self._next(model, queue, now):
            effects.append(sent)
        if not queue:
            del self.queues[model]
        return effects

    def requeue(self, record: JobRecord) -> list[Effect]:
        """Its worker is lost to it: back to the front of the queue, the file fixed once a token has come."""
        effects = self._leave_worker(record)
        record.state = step(record.state, JobStep.LOSE)
        if not record.tokens:
            record.file_sha256 = ""
        self._queue(record.order.model).push(record.order.job, record.order.account, front=True)
        return effects

    def end(self, record: JobRecord, event: JobStep) -> list[Effect]:
        """The job is over; a worker that still does it is told to stop unless it finished by itself."""
        effects = self._leave_worker(record) if record.state is JobState.RUNNING else []
        record.state = step(record.state, event)
        queue = self.queues.get(record.order.model)
        if queue is not None:
            queue.remove(record.order.job)
        del self.jobs[record.order.job]
        return [] if event is JobStep.FINISH else effects

    def refuse(self, record: JobRecord, code: RefusalCode, message: str) -> list[Effect]:
        """The job is over with an error."""
        return [*self.end(record, JobStep.REFUSE), Refuse(job=record.order.job, code=code, message=message)]

    def _queue(self, model: ModelId) -> FairQueue:
        return self.queues.setdefault(model, FairQueue())

    def _served(self, model: ModelId) -> "_Served":
        return _Served(self._running, model)

    def _next(self, model: ModelId, queue: FairQueue, now: float) -> Send | None:
        if not self.fleet.candidates(model, file_sha256="", least_context=0, avoid=frozenset()):
            return None
        for job in queue.order(self._served(model)):
            record = self.jobs[job]
            choice = self._choose(record)
            if choice is not None:
                queue.remove(job)
                return self._dispatch(record, choice, now)
        return None

    def _choose(self, record: JobRecord) -> Choice | None:
        """Rather not a worker that just lost this job; but if there is no other, that one again."""
        avoid = frozenset(record.losses)
        return self._choose_without(record, avoid) or (self._choose_without(record, frozenset()) if avoid else None)

    def _choose_without(self, record: JobRecord, avoid: frozenset[WorkerId]) -> Choice | None:
        candidates = self.fleet.candidates(
            record.order.model, file_sha256=record.file_sha256, least_context=record.least_context, avoid=avoid
        )
        return choose(
            candidates,
            prompt_tokens=record.order.estimated_prompt_tokens + record.tokens,
            output_tokens=min(record.order.sampling.max_tokens - record.tokens, USUAL_OUTPUT_TOKENS),
        )

    def _dispatch(self, record: JobRecord, choice: Choice, now: float) -> Send:
        record.state = step(record.state, JobStep.DISPATCH)
        record.epoch += 1
        record.worker, record.begun, record.progressed_at = choice.worker, False, now
        record.file_sha256 = choice.offer.file_sha256
        record.template_sha256 = record.template_sha256 if record.tokens else choice.offer.template_sha256
        self._count(record, +1)
        self.fleet.assign(choice.worker, record.order.job, choice.offer.file_sha256, now)
        return Send(
            worker=choice.worker,
            job=record.order.job,
            epoch=record.epoch,
            file_sha256=record.file_sha256,
            template_sha256=record.template_sha256,
            reason=choice.reason,
        )

    def _leave_worker(self, record: JobRecord) -> list[Effect]:
        """Free the slot; a worker that is still here is told to stop."""
        worker, record.worker = record.worker, None
        self._count(record, -1)
        if worker is None or not self.fleet.release(worker, record.order.job):
            return []
        return [CancelAt(worker=worker, job=record.order.job, epoch=record.epoch)]

    def _count(self, record: JobRecord, change: int) -> None:
        key = record.order.model, record.order.account
        count = self._running.get(key, 0) + change
        if count:
            self._running[key] = count
        else:
            self._running.pop(key, None)

    def _estimate(self, model: ModelId, position: int) -> float | None:
        """All slots of the model give back about slots / (usual answer / rate) jobs a second; None when nobody serves it."""
        jobs_per_s = sum(
            math.sqrt(offer.slots) * offer.decode_tps / USUAL_OUTPUT_TOKENS
            for state, offer in self.fleet.offering(model)
            if state.usable
        )
        return round(position / jobs_per_s, 1) if jobs_per_s else None


@dataclass(frozen=True, slots=True)
class _Served:
    """How many jobs of the model an account has running."""

    running: dict[tuple[ModelId, AccountId], int]
    model: ModelId

    def __call__(self, account: AccountId) -> int:
        return self.running.get((self.model, account), 0)
