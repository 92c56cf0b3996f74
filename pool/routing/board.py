"""The board: every job that is not over, who holds it, and the moves that the scheduler makes on it."""

from collections import Counter
from dataclasses import dataclass, field

from iamine.ids import AccountId, JobId, ModelId, WorkerId
from iamine.wire.messages import ModelOffer
from iamine.work import USUAL_OUTPUT_TOKENS, cost
from pool.routing.adoptions import Holder
from pool.routing.choose import Ask
from pool.routing.counters import Counters
from pool.routing.credit import charge, settle
from pool.routing.demand import Demand
from pool.routing.effects import CancelAt, Effect, RefusalCode, Refuse, Send
from pool.routing.fleet import Fleet
from pool.routing.history import Histories, History, Loss
from pool.routing.index import Decision, ModelIndex
from pool.routing.lifecycle import JobState, JobStep, step
from pool.routing.places import Places
from pool.routing.prefix import Mark, marks
from pool.routing.queue import FairQueue
from pool.routing.types import JobOrder, Queued


@dataclass(slots=True, kw_only=True)
class JobRecord:
    """A job that is not over. `file_sha256` is fixed by the first token; `losses` are the workers lost since progress.

    `links_lost`: how many links with it were lost since progress; machines go for reasons of their own. `decision` is why
    its worker has it; `charged` and `cost` are what was expected of this worker and what it did, in virtual tokens;
    `pledge` is what its account still has pledged for it. `reads`: its worker has not written anything yet;
    `read_tokens`: so much of the prompt it says it has read.
    """

    order: JobOrder
    deadline_s: float
    progressed_at: float
    history: History = field(init=False)
    state: JobState = JobState.QUEUED
    epoch: int = 0
    worker: WorkerId | None = None
    file_sha256: str = ""
    template_sha256: str = ""
    tokens: int = 0
    begun: bool = False
    reads: bool = False
    read_tokens: int = 0
    losses: list[WorkerId] = field(default_factory=list)
    links_lost: int = 0
    least_context: int = 0
    prefix: tuple[Mark, ...] = ()
    decision: Decision | None = None
    charged: float = 0.0
    cost: float = 0.0
    pledge: float = 0.0
    epoch_floor: int = 0


class Board:
    """Jobs, queues and the fleet. The counts agree after every move."""

    def __init__(self, demand: Demand | None = None) -> None:
        self.demand = demand or Demand()
        self.fleet = Fleet()
        self.jobs: dict[JobId, JobRecord] = {}
        self.queues: dict[ModelId, FairQueue] = {}
        self.counters = Counters()
        self.histories = Histories()
        self.places = Places()

    def enter(self, record: JobRecord, *, front: bool = False) -> None:
        """A new job joins its account's line, or the front of all lines."""
        self._admit(record)
        self._queue(record.order.model).push(record.order.job, record.order.account, front=front)

    def adopt(self, record: JobRecord, holder: Holder, now: float) -> None:
        """A job is known again that its worker never gave up; its slot is taken already."""
        self._admit(record)
        record.state = step(record.state, JobStep.DISPATCH)
        record.worker, record.epoch, record.file_sha256 = holder.worker, holder.epoch, holder.file_sha256
        record.reads = True
        record.history.sent(holder.worker, "held on to it while the pool was away", now)

    def start(self, record: JobRecord, now: float) -> list[Effect]:
        """A new job goes straight to a free worker where nobody waits; else it joins its account's line."""
        order = record.order
        index = self.fleet.index(order.model)
        if order.model in self.queues or index is None or not index.free:
            self.enter(record)
            return self.fill(order.model, now)
        self._admit(record)
        decision = self._decide(index, record, now)
        assert decision is not None, "whoever is new may be served by anybody"
        return [self._dispatch(record, decision, now)]

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

    def place(self, record: JobRecord) -> Queued:
        """Where a queued job stands and about how long it will take to be its turn."""
        queue = self.queues[record.order.model]
        position = self.places.of(record.order.job, queue, self.counters.turn)
        return Queued(position=position, estimate_s=self._estimate(record.order.model, position))

    def news(self, now: float) -> list[tuple[JobId, Queued]]:
        """What is to be told to those who wait: to the first of each queue every second, to the rest in turns."""
        told = self.places.news(self.queues, self.counters.turn, now)
        return [(job, Queued(position=position, estimate_s=self._estimate(model, position))) for model, job, position in told]

    def offer_of(self, record: JobRecord) -> ModelOffer | None:
        """What the worker that has the job offers for its file."""
        state = self.fleet.get(record.worker) if record.worker else None
        return state.offers.get(record.file_sha256) if state else None

    def wait_s(self, model: ModelId) -> float | None:
        """About how long one more job of the model would wait; None when nobody can serve it or nobody can tell."""
        queued, index = len(self.queues.get(model, ())), self.fleet.index(model)
        if not queued and index is not None and index.free:
            return 0.0
        return self._estimate(model, queued + 1)

    def fill(self, model: ModelId, now: float) -> list[Effect]:
        """Give queued jobs of the model to free slots, in fair order, until no slot or no fitting job is left."""
        effects: list[Effect] = []
        queue, index = self.queues.get(model), self.fleet.index(model)
        if queue is None:
            return effects
        for job in queue.front():
            if index and index.free and (decision := self._decide(index, self.jobs[job], now)):
                queue.remove(job)
                effects.append(self._dispatch(self.jobs[job], decision, now))
        # whoever is in a line has no file yet, so any free slot will do for the first
        while index and index.free and (first := queue.first()) and (decision := self._decide(index, self.jobs[first], now)):
            queue.remove(first)
            effects.append(self._dispatch(self.jobs[first], decision, now))
        if not queue:
            del self.queues[model]
        return effects

    # ---- what a worker does with a job -----------------------------------------------------------------------------------

    def started(self, record: JobRecord, prompt_tokens: int, cached_tokens: int) -> None:
        """The prompt is tokenised: the account is charged for it once, the worker is credited for what it has to read."""
        record.begun = True
        known = prompt_tokens if record.decision is None else min(prompt_tokens, record.decision.place.offer.context_tokens)
        unread = max(0, known - cached_tokens)
        record.cost += unread
        if not record.history.prompt_tokens:
            record.history.prompt_tokens, record.history.cached_tokens = known, min(known, cached_tokens)
            self._charge(record, unread)

    def wrote(self, record: JobRecord, count: int) -> None:
        """So many more tokens were accepted."""
        record.tokens += count
        record.history.tokens = record.tokens
        amount = cost(0, count)
        record.cost += amount
        record.pledge = self.counters.charge(record.order.account, amount, record.pledge)
        if record.reads and record.worker is not None:
            record.reads = False
            self.fleet.read(record.worker, record.order.job)
            self.fleet.prefixes.remember((record.worker, record.file_sha256), record.prefix)

    def _charge(self, record: JobRecord, amount: float) -> None:
        record.pledge = self.counters.charge(record.order.account, amount, record.pledge)

    # ---- ends ------------------------------------------------------------------------------------------------------------

    def requeue(self, record: JobRecord, why: Loss, now: float) -> list[Effect]:
        """Its worker is lost to it: back to the front of the queue, the file fixed once a token has come."""
        effects = self._leave_worker(record)
        record.history.lost(why, now)
        record.state = step(record.state, JobStep.LOSE)
        if not record.tokens:
            record.file_sha256 = ""
        self._queue(record.order.model).push(record.order.job, record.order.account, front=True)
        return effects

    def end(self, record: JobRecord, event: JobStep, now: float) -> list[Effect]:
        """The job is over; a worker that still does it is told to stop unless it finished by itself."""
        effects = self._leave_worker(record) if record.state is JobState.RUNNING else []
        record.state = step(record.state, event)
        queue = self.queues.get(record.order.model)
        if queue is not None:
            queue.remove(record.order.job)
        del self.jobs[record.order.job]
        self.counters.leave(record.order.account)
        self.histories.end(record.order.job, now)
        return [] if event is JobStep.FINISH else effects

    def refuse(self, record: JobRecord, code: RefusalCode, message: str, now: float) -> list[Effect]:
        """The job is over with an error."""
        if code in ("deadline", "queue_full"):
            self.demand.refused(record.order.model, now)
        return [*self.end(record, JobStep.REFUSE, now), Refuse(job=record.order.job, code=code, message=message)]

    # ---- inside ----------------------------------------------------------------------------------------------------------

    def _admit(self, record: JobRecord) -> None:
        """The job is here from now on, and its account is active."""
        order = record.order
        self.jobs[order.job] = record
        record.history = self.histories.begin(order.job, record.progressed_at)
        record.prefix = marks(order.work)
        self.counters.enter(order.account)
        self._count(record)

    def _count(self, record: JobRecord) -> None:
        """What is asked for, and of what."""
        order, now = record.order, record.progressed_at
        work = cost(order.estimated_prompt_tokens, min(order.sampling.max_tokens, USUAL_OUTPUT_TOKENS))
        self.demand.asked(order.model, work, now)
        if order.wish:
            self.demand.missed(order.wish, work, now)

    def _queue(self, model: ModelId) -> FairQueue:
        if model not in self.queues:
            self.queues[model] = FairQueue(self.counters.key)
        return self.queues[model]

    def _decide(self, index: ModelIndex, record: JobRecord, now: float) -> Decision | None:
        """Rather not a worker that just lost this job; but if there is no other, that one again."""
        cached = self.fleet.prefixes.cached(record.prefix) if record.prefix else {}
        avoid = frozenset(record.losses)
        decision = index.decide(self._ask(record, avoid), cached, now)
        return index.decide(self._ask(record, frozenset()), cached, now) if decision is None and avoid else decision

    def _ask(self, record: JobRecord, avoid: frozenset[WorkerId]) -> Ask:
        return Ask(
            prompt_tokens=record.order.estimated_prompt_tokens + record.tokens,
            output_tokens=min(record.order.sampling.max_tokens - record.tokens, USUAL_OUTPUT_TOKENS),
            file_sha256=record.file_sha256,
            least_context=record.least_context,
            avoid=avoid,
        )

    def _dispatch(self, record: JobRecord, decision: Decision, now: float) -> Send:
        order, offer, worker = record.order, decision.place.offer, decision.place.worker
        record.state = step(record.state, JobStep.DISPATCH)
        record.epoch = max(record.epoch, record.epoch_floor) + 1
        record.worker, record.begun, record.reads, record.progressed_at = worker, False, True, now
        record.read_tokens = 0
        record.file_sha256 = offer.file_sha256
        record.template_sha256 = record.template_sha256 if record.tokens else offer.template_sha256
        reason = decision.reason
        if not record.tokens:
            self.demand.served(order.model, record.history.waiting_s(now), now)
        record.history.sent(worker, reason, now)
        ask = self._ask(record, frozenset())
        unread = max(0, ask.prompt_tokens - decision.cached_tokens)
        record.decision, record.cost, record.charged = decision, 0.0, cost(unread, ask.output_tokens)
        record.pledge = self.counters.pledge(order.account, record.charged)
        charge(decision, record.charged)
        self.fleet.assign(worker, order.job, offer.file_sha256, now, unread)
        return Send(
            worker=worker,
            job=order.job,
            epoch=record.epoch,
            file_sha256=record.file_sha256,
            template_sha256=record.template_sha256,
            reason=reason,
        )

    def _leave_worker(self, record: JobRecord) -> list[Effect]:
        """Free the slot and settle what it cost; a worker that is still here is told to stop."""
        worker, record.worker = record.worker, None
        self.counters.release(record.order.account, record.pledge)
        record.pledge = 0.0
        for queue in self.queues.values():
            queue.fell(record.order.account)
        if record.decision is not None:
            settle(record.decision, record.cost - record.charged)
            record.decision = None
        if worker is None or not self.fleet.release(worker, record.order.job):
            return []
        return [CancelAt(worker=worker, job=record.order.job, epoch=record.epoch)]

    def _estimate(self, model: ModelId, position: int) -> float | None:
        """All slots of the model give back so many jobs a second; None when nobody serves it."""
        index = self.fleet.index(model)
        return round(position / index.jobs_per_s, 1) if index is not None and index.jobs_per_s else None
