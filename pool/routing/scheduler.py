"""The scheduler: events about jobs and workers in, effects out. It performs nothing, waits for nothing, knows no clock.

Every dispatch raises the job's epoch. A frame counts only if it is of the current epoch, from the assignee and in
order (`Counts`); what comes from a worker that was given up is `Stale`; an assignee that breaks the order is a
`Breach`. A job whose worker is lost goes to the front of the queue and on from the tokens it has, on the same file.
"""

from iamine.ids import JobId, ModelId, WorkerId
from iamine.wire.messages import Failed, Held, ModelOffer
from pool.routing.adoptions import UNTOLD_EPOCHS, Adoptions, Expected, Holder
from pool.routing.board import Board, JobRecord
from pool.routing.counters import TURN, Counters
from pool.routing.deficit import Ageing
from pool.routing.demand import Demand, Figures
from pool.routing.effects import COUNTS, STALE, Breach, CancelAt, Continue, Effect, Inform, Verdict, Wait
from pool.routing.fleet import Fleet, WorkerState
from pool.routing.history import LOSSES, History, Loss
from pool.routing.lacks import Lacks
from pool.routing.lateness import Lateness
from pool.routing.lifecycle import JobState, JobStep
from pool.routing.patience import Patience
from pool.routing.standing import Standings
from pool.routing.types import JobOrder, Resumed


class Scheduler:
    """Decides who does what. One owner, one thread; every method is an event."""

    def __init__(self, patience: Patience | None = None, *, max_queue: int = 10_000, demand: Demand | None = None) -> None:
        self.patience = patience or Patience()
        self._max_queue = max_queue
        self._board = Board(demand)
        self._lacks = Lacks(self._board.demand)
        self._standings = Standings()
        self._adoptions = Adoptions()
        self._lateness = Lateness(self._board, self.patience)
        self._ageing = Ageing()

    # ---- to look at, not to act on ------------------------------------------------------------------------------------

    @property
    def workers(self) -> int:
        return len(self._board.fleet)

    @property
    def queued(self) -> int:
        return self._board.queued

    @property
    def running(self) -> int:
        return sum(len(state.running) for state in self._board.fleet)

    def wait_s(self, model: ModelId) -> float | None:
        """About how long one more job of the model would wait, None when nobody knows."""
        return self._board.wait_s(model)

    def histories(self, job: JobId) -> tuple[History, ...]:
        """What became of a request's choices that live, or have not been over for long."""
        return self._board.histories.of(job)

    @property
    def figures(self) -> Figures:
        """What the pool lacks, as it was last looked at."""
        return self._lacks.figures

    @property
    def fleet(self) -> Fleet:
        """The workers, and what they are owed: to be kept and restored."""
        return self._board.fleet

    @property
    def counters(self) -> Counters:
        """What accounts were served: to be kept and restored."""
        return self._board.counters

    def offering(self, model: ModelId) -> list[ModelOffer]:
        """What live workers offer under this name."""
        return [offer for _, offer in self._board.fleet.offering(model)]

    def file_of(self, job: JobId) -> str:
        """The model file that serves the job; empty for one that nobody holds."""
        record = self._board.jobs.get(job)
        return record.file_sha256 if record else ""

    def template_of(self, job: JobId) -> str:
        """The chat template of the file that serves the job."""
        record = self._board.jobs.get(job)
        return record.template_sha256 if record else ""

    def assigned(self, worker: WorkerId) -> dict[JobId, str]:
        """The jobs a worker holds, each with its file; empty for one that is not here."""
        state = self._board.fleet.get(worker)
        return dict(state.running) if state else {}

    # ---- workers ------------------------------------------------------------------------------------------------------

    def on_worker(
        self, worker: WorkerId, offers: tuple[ModelOffer, ...], now: float, holding: tuple[Held, ...] = ()
    ) -> list[Effect]:
        """A worker was welcomed. It must not be here already (the hub fences an older session first)."""
        state = self._board.fleet.join(worker, offers, now)
        return [*self._hold(state, holding, now), *self._fill(state, now)]

    def on_offers(self, worker: WorkerId, offers: tuple[ModelOffer, ...], now: float) -> list[Effect]:
        """It offers something else from now on; jobs of a file that it no longer has are lost to it."""
        state = self._heard(worker, now)
        if state is None:
            return []
        self._board.fleet.offer(state, offers)
        effects: list[Effect] = []
        for job, file in list(state.running.items()):
            if file not in state.offers and job in self._board.jobs:
                effects += self._lose(self._board.jobs[job], now, "model dropped")
        return effects + self._fill(state, now)

    def on_heartbeat(self, worker: WorkerId, ready: bool, now: float) -> list[Effect]:
        """It lives, and can or cannot take work."""
        state = self._heard(worker, now)
        if state is None:
            return []
        state.ready = ready
        return self._fill(state, now)

    def on_moving(self, worker: WorkerId, model: ModelId | None, work_tps: float, now: float) -> None:
        """It will serve this model soon, with so much work; None: it stays as it is."""
        self._board.demand.moves(worker, model, work_tps, now)

    def on_missed(self, model: ModelId, now: float) -> None:
        """A model was asked for that nobody here offers, nor did lately: a usual request of it."""
        self._board.demand.missed(model, TURN, now)

    def on_drain(self, worker: WorkerId, now: float) -> None:
        """No new jobs for it; those it has may end there."""
        state = self._heard(worker, now)
        if state is not None:
            state.draining = True

    def on_worker_gone(self, worker: WorkerId, now: float, why: Loss = "lost link") -> list[Effect]:
        """Its link is closed: what it held goes on elsewhere."""
        state = self._board.fleet.leave(worker)
        self._adoptions.gone(worker)
        self._board.demand.moves(worker, None, 0.0, now)
        effects: list[Effect] = []
        for job in state.running if state else ():
            if job in self._board.jobs:  # else it is held for a client who is not back yet
                self._board.jobs[job].links_lost += 1
                effects += self._lose(self._board.jobs[job], now, why, blame=False)
        return effects

    # ---- jobs ---------------------------------------------------------------------------------------------------------

    def on_job(self, order: JobOrder, now: float) -> list[Effect]:
        """A client wants an answer: it is sent at once or told to wait. A queue too long sheds a job of who floods it."""
        record = JobRecord(order=order, deadline_s=order.deadline_s, progressed_at=now)
        if order.resumed is not None:
            return self._resume(record, order.resumed, now)
        effects = self._board.start(record, now)
        if self._board.queued > self._max_queue and record.state is JobState.QUEUED:
            message = f"{self._max_queue} requests wait already, and no key has more of them than this one"
            effects += self._board.refuse(self._board.excess(order.account), "queue_full", message, now)
        if record.state is JobState.QUEUED:
            effects.append(Wait(job=order.job, queued=self._board.place(record)))
        return effects

    def expect(self, job: Expected) -> None:
        """A lost pool's job, whose client may come back: a worker that holds it is to go on."""
        self._adoptions.expect(job)

    def is_held(self, job: JobId) -> bool:
        """Whether a worker goes on with a job that is expected."""
        return self._adoptions.holder(job) is not None

    def on_cancel(self, job: JobId, now: float) -> list[Effect]:
        """The client left, or the pool gives up on it. Unknown jobs are over already."""
        record = self._board.jobs.get(job)
        if record is None:
            return []
        return [*self._board.end(record, JobStep.CANCEL, now), *self._board.fill(record.order.model, now)]

    def on_started(
        self, worker: WorkerId, job: JobId, epoch: int, now: float, prompt_tokens: int = 0, cached_tokens: int = 0
    ) -> Verdict:
        """The prompt is tokenised: so many tokens, of which so many need not be read. Told again it counts once."""
        record = self._current(worker, job, epoch, now)
        if record is None:
            return STALE
        if not record.begun:
            self._board.started(record, prompt_tokens, cached_tokens)
            record.progressed_at = now
        return COUNTS

    def on_progress(self, worker: WorkerId, job: JobId, epoch: int, now: float, done_tokens: int) -> Verdict:
        """So much of the prompt is read. Whoever says the same again and again makes no progress."""
        record = self._current(worker, job, epoch, now)
        if record is None:
            return STALE
        if done_tokens > record.read_tokens:
            record.read_tokens, record.progressed_at = done_tokens, now
        return COUNTS

    def on_tokens(self, worker: WorkerId, job: JobId, epoch: int, index: int, count: int, now: float) -> Verdict:
        """`count` tokens from `index` on have come, in a frame that `on_stepped` was told of."""
        record = self._held(worker, job, epoch)
        if record is None:
            return STALE
        if not record.begun:
            return Breach(f"tokens of {job} before it was started")
        if index != record.tokens:
            return Breach(f"token {index} of {job} came when token {record.tokens} was next")
        if record.tokens + count > record.order.sampling.max_tokens:
            return Breach(f"more than the {record.order.sampling.max_tokens} tokens asked for in {job}")
        if not count:
            return COUNTS  # text that was held back: no progress
        self._board.wrote(record, count)
        record.progressed_at = now
        record.losses.clear()
        record.links_lost = 0
        return COUNTS

    def on_stepped(self, worker: WorkerId, now: float) -> None:
        """A step frame came: the measure of what a stall is for this worker."""
        state = self._heard(worker, now)
        if state is not None:
            state.stepped(now)

    def on_finished(self, worker: WorkerId, job: JobId, epoch: int, tokens: int, now: float) -> tuple[Verdict, list[Effect]]:
        """The worker says that the answer is whole after `tokens` tokens."""
        record = self._current(worker, job, epoch, now)
        if record is None:
            return STALE, []
        if not record.begun or tokens != record.tokens:
            return Breach(f"{job} finished after {tokens} tokens when {record.tokens} have come"), []
        return COUNTS, [*self._board.end(record, JobStep.FINISH, now), *self._fill_worker(worker, now)]

    def on_embedded(self, worker: WorkerId, job: JobId, epoch: int, now: float) -> tuple[Verdict, list[Effect]]:
        """The vectors of a job have come; nothing precedes them."""
        record = self._current(worker, job, epoch, now)
        if record is None:
            return STALE, []
        return COUNTS, [*self._board.end(record, JobStep.FINISH, now), *self._fill_worker(worker, now)]

    def on_failed(self, worker: WorkerId, failed: Failed, now: float) -> tuple[Verdict, list[Effect]]:
        """The worker could not do it: another may, or the request itself is at fault."""
        record = self._current(worker, failed.job, failed.epoch, now)
        if record is None:
            return STALE, []
        if failed.code == "context_overflow":
            effects = self._overflowed(record, failed, now)
        elif failed.retryable:
            blame = failed.code in ("engine_lost", "prompt_mismatch")
            effects = self._lose(record, now, LOSSES.get(failed.code, "engine lost"), blame=blame, told=True)
        else:
            effects = [e for e in self._board.refuse(record, "bad_request", failed.message, now) if not _cancels(e)]
        return COUNTS, [*effects, *self._fill_worker(worker, now)]

    def on_tick(self, now: float) -> list[Effect]:
        """Time passes: silent workers, stalled jobs, deadlines, and news for those who wait."""
        self._lateness.ticked(now)
        effects: list[Effect] = []
        for holder in self._adoptions.overdue(now):
            effects += self._give_up(holder, now)
        for state in self._board.fleet:
            effects += self._silence(state, now)
        for record in list(self._board.jobs.values()):
            effects += self._overdue(record, now)
        return effects + self._news(now)

    # ---- decisions ----------------------------------------------------------------------------------------------------

    def _heard(self, worker: WorkerId, now: float) -> WorkerState | None:
        state = self._board.fleet.get(worker)
        if state is not None:
            state.heard_at = now
        return state

    def _current(self, worker: WorkerId, job: JobId, epoch: int, now: float) -> JobRecord | None:
        """The job, if this worker holds it under this epoch; and the worker lives."""
        self._heard(worker, now)
        return self._held(worker, job, epoch)

    def _held(self, worker: WorkerId, job: JobId, epoch: int) -> JobRecord | None:
        record = self._board.jobs.get(job)
        if record is None or record.worker != worker or record.epoch != epoch:
            return None
        return record

    def _fill(self, state: WorkerState, now: float) -> list[Effect]:
        effects: list[Effect] = []
        if not self._board.queues:
            return effects
        for model in dict.fromkeys(offer.model for offer in state.offers.values()):
            effects += self._board.fill(model, now)
        return effects

    def _fill_worker(self, worker: WorkerId, now: float) -> list[Effect]:
        state = self._board.fleet.get(worker)
        return self._fill(state, now) if state else []

    def _lose(
        self, record: JobRecord, now: float, why: Loss = "lost link", *, blame: bool = True, told: bool = False
    ) -> list[Effect]:
        """Back into the queue, unless it was lost too often without any progress. `told`: the worker knows already."""
        if blame and record.worker is not None:
            record.losses.append(record.worker)
        if self._is_fruitless(record):
            lost = f"{record.links_lost} links were lost, " if record.links_lost else ""
            message = f"{lost}{len(record.losses)} attempts on {len(set(record.losses))} workers made no progress"
            record.history.lost(why, now)
            effects = self._board.refuse(record, "answer_lost", message, now)
        else:
            record.deadline_s = max(record.deadline_s, now + self.patience.resume_s)
            effects = self._board.requeue(record, why, now)
        kept = [effect for effect in effects if not (told and _cancels(effect))]
        return [*kept, *self._board.fill(record.order.model, now)]

    def _hold(self, state: WorkerState, holding: tuple[Held, ...], now: float) -> list[Effect]:
        """What it still runs of earlier links: expected jobs take their slots, the others are moved already."""
        effects: list[Effect] = []
        for held in holding:
            usable = held.file_sha256 in state.offers
            kept, older = self._adoptions.offered(state.worker, held) if usable else (False, None)
            if older is not None:
                effects += self._give_up(older, now)
            if kept:
                self._board.fleet.assign(state.worker, held.job, held.file_sha256, now, 0)
            else:
                effects.append(CancelAt(worker=state.worker, job=held.job, epoch=held.epoch))
        return effects

    def _give_up(self, holder: Holder, now: float) -> list[Effect]:
        """Nobody wants what this worker holds; its slot is free."""
        self._board.fleet.release(holder.worker, holder.job)
        return [CancelAt(worker=holder.worker, job=holder.job, epoch=holder.epoch), *self._fill_worker(holder.worker, now)]

    def _resume(self, record: JobRecord, resumed: Resumed, now: float) -> list[Effect]:
        """On from what was written down: where the job still runs, or from the front of the queue on the same file."""
        holder = self._adoptions.taken(record.order.job)
        record.tokens, record.epoch_floor = len(resumed.ids), resumed.epoch + UNTOLD_EPOCHS
        record.template_sha256 = resumed.template_sha256
        if holder is not None and holder.has(record.tokens) and resumed.file_sha256 in ("", holder.file_sha256):
            record.epoch_floor = max(resumed.epoch, holder.epoch) + UNTOLD_EPOCHS
            self._board.adopt(record, holder, now)
            return [Continue(worker=holder.worker, job=holder.job, epoch=holder.epoch, index=record.tokens)]
        effects = [] if holder is None else self._give_up(holder, now)
        record.file_sha256 = resumed.file_sha256 if record.tokens else ""
        self._board.enter(record, front=True)
        return [*effects, *self._board.fill(record.order.model, now)]

    def _is_fruitless(self, record: JobRecord) -> bool:
        losses = record.losses
        if record.links_lost >= self.patience.fruitless_links:
            return True
        return len(losses) >= self.patience.fruitless_losses or len(set(losses)) >= self.patience.fruitless_workers

    def _overflowed(self, record: JobRecord, failed: Failed, now: float) -> list[Effect]:
        """Only a worker with more context can help; if nobody offers more, the request is too long."""
        offer = self._board.offer_of(record)
        record.least_context = (offer.context_tokens if offer else 0) + 1
        if all(other.context_tokens < record.least_context for other in self.offering(record.order.model)):
            return [e for e in self._board.refuse(record, "context_overflow", failed.message, now) if not _cancels(e)]
        return self._lose(record, now, "context too small", blame=False, told=True)

    def _silence(self, state: WorkerState, now: float) -> list[Effect]:
        gone = self._lateness.silent(state, now)
        return [] if gone is None else [gone, *self.on_worker_gone(state.worker, now, "silent")]

    def _overdue(self, record: JobRecord, now: float) -> list[Effect]:
        if record.state is JobState.QUEUED:
            if now <= record.deadline_s:
                return []
            message = f"no worker could serve {record.order.model} before the deadline"
            return self._board.refuse(record, "deadline", message, now)
        return self._lose(record, now, "stalled") if self._lateness.stalled(record, now) else []

    def _news(self, now: float) -> list[Effect]:
        """For clients that wait and for workers that do; and deficits grow old."""
        factor = self._ageing.due(now)
        if factor is not None:
            self._board.fleet.age(factor)
        waiting = {model: len(queue) for model, queue in self._board.queues.items()}
        lacks = self._lacks.news(self._board.fleet, waiting, now)
        waits = [Wait(job=job, queued=queued) for job, queued in self._board.news(now)]
        return [*lacks, *waits, *(Inform(standing=one) for one in self._standings.news(self._board.fleet, now))]


def _cancels(effect: Effect) -> bool:
    return isinstance(effect, CancelAt)
