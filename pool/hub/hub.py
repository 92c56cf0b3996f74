"""The hub: frames and requests in, the scheduler's effects performed. It owns the links and the journals.

Everything here is synchronous and on one thread: no await stands between a decision and what is done about it.
"""

import logging
from collections.abc import Callable

from iamine.identity import Identity
from iamine.ids import JobId, ModelId, WorkerId
from iamine.wire.codec import decode_from_worker
from iamine.wire.errors import OutOfOrder, TooLarge, WireError
from iamine.wire.messages import (
    Claim,
    Drain,
    Embedded,
    Failed,
    Finished,
    Goodbye,
    Heartbeat,
    Hello,
    ManifestUpdate,
    Models,
    Progress,
    SequenceStep,
    Started,
    Step,
)
from iamine.wire.session import Ended, Heard, Introduced, Reply
from pool.errors import AnswerLost, ContextTooLong, DeadlineExceeded, InvalidRequest, PoolError, RateLimited, Unavailable
from pool.hub.catalogue import Catalogue
from pool.hub.journal import Journal
from pool.hub.link import HELLO_LIMIT_S, Link, Socket
from pool.hub.roster import FATAL_S, Roster
from pool.hub.stream import Stream
from pool.hub.tally import Tally
from pool.routing.adoptions import Expected
from pool.routing.demand import Figures
from pool.routing.effects import (
    COUNTS,
    Breach,
    CancelAt,
    Continue,
    Effect,
    Evict,
    Inform,
    Lack,
    RefusalCode,
    Refuse,
    Send,
    Stale,
    Verdict,
    Wait,
)
from pool.routing.history import History
from pool.routing.scheduler import Scheduler
from pool.routing.types import JobOrder, ModelCard, Prefilled
from pool.routing.types import Standing as JobStanding

log = logging.getLogger("pool.hub")

MAX_NAME_CHARACTERS = 256  # of a model that a worker names
REFUSALS: dict[RefusalCode, type[PoolError]] = {
    "deadline": DeadlineExceeded,
    "answer_lost": AnswerLost,
    "context_overflow": ContextTooLong,
    "bad_request": InvalidRequest,
    "queue_full": RateLimited,
}


class Hub:
    """All live links and jobs. `monotonic` and `wall` are clocks in seconds, `random_bytes` draws nonces and ids.

    `news` is the pool's manifest, by its serial: for workers that go by an older one.
    """

    def __init__(
        self,
        *,
        identity: Identity,
        name: str,
        scheduler: Scheduler,
        catalogue: Catalogue,
        monotonic: Callable[[], float],
        wall: Callable[[], float],
        random_bytes: Callable[[int], bytes],
        on_hello: Callable[[WorkerId, Hello], None],
        news: tuple[int, ManifestUpdate] | None = None,
    ) -> None:
        self._scheduler, self._catalogue = scheduler, catalogue
        self.monotonic, self._wall = monotonic, wall
        self._on_hello = on_hello
        self._roster = Roster(identity=identity, name=name, random_bytes=random_bytes, news=news)
        self._journals: dict[JobId, Journal] = {}
        self._closed = False
        self.tally = Tally()

    # ---- for dispatch and api -------------------------------------------------------------------------------------------

    def submit(self, order: JobOrder) -> Stream:
        """Start a job; its stream tells what becomes of it."""
        stream = Stream(on_cancel=lambda: self._cancelled(order.job))
        if self._closed:
            stream.fail(Unavailable("the pool is shutting down", hint="ask again in a few seconds"))
            return stream
        self.tally.jobs += 1
        self._journals[order.job] = Journal.of(order, stream)
        self._perform(self._scheduler.on_job(order, self.monotonic()))
        return stream

    def models(self) -> tuple[ModelCard, ...]:
        """Models that are offered now, or were a short while ago."""
        return self._catalogue.cards(self.monotonic())

    def wait_s(self, model: ModelId) -> float | None:
        """About how long one more job of the model would wait, None when nobody knows."""
        return self._scheduler.wait_s(model)

    def histories(self, job: JobId) -> tuple[History, ...]:
        """What became of a request's choices that live, or have not been over for long."""
        return self._scheduler.histories(job)

    @property
    def workers(self) -> int:
        return len(self._roster)

    @property
    def resting(self) -> int:
        """Workers that are linked but whose owners keep their machines for themselves."""
        return self._roster.resting

    @property
    def queued(self) -> int:
        return self._scheduler.queued

    @property
    def running(self) -> int:
        return self._scheduler.running

    def expect(self, job: Expected) -> None:
        """A lost pool's job: a worker that holds it is to go on for a while."""
        self._scheduler.expect(job)

    def is_held(self, job: JobId) -> bool:
        """Whether a worker goes on with such a job."""
        return self._scheduler.is_held(job)

    def standing(self, job: JobId) -> JobStanding:
        """What a running job's file and prompt are known by."""
        file, template = self._scheduler.file_of(job), self._scheduler.template_of(job)
        journal = self._journals.get(job)
        return JobStanding(file_sha256=file, template_sha256=template, prompt_sha256=journal.prompt_sha256 if journal else "")

    def missed(self, model: ModelId) -> None:
        """A model was asked for that nobody here offers: workers are to hear of it."""
        self._scheduler.on_missed(model, self.monotonic())

    def demand(self) -> Figures:
        """What the pool lacks."""
        return self._scheduler.figures

    def agent_of(self, worker: WorkerId) -> str:
        """Which program a welcomed worker runs, as it says."""
        link = self._roster.get(worker)
        return link.session.agent if link else ""

    def tell(self, worker: WorkerId, message: Claim) -> None:
        """Send it, if the worker is here and understands it."""
        self._roster.tell_later(worker, message)

    def serving(self, worker: WorkerId) -> tuple[ModelId, ...] | None:
        """What a linked worker offers; None for one that is not here."""
        link = self._roster.get(worker)
        return None if link is None else tuple(dict.fromkeys(offer.model for offer in link.offers.values()))

    def links(self) -> tuple[Link, ...]:
        """The welcomed workers' links, to look at."""
        return self._roster.links()

    # ---- for the workers' socket ------------------------------------------------------------------------------------------

    def connect(self, socket: Socket) -> Link:
        """A worker opened a connection."""
        return self._roster.connect(socket, self.monotonic())

    def receive(self, link: Link, frame: bytes | str) -> None:
        """A frame came. What breaks the rules ends this link with a reason, and no other."""
        if link.ended:
            return
        try:
            self._received(link, frame)
        except WireError as error:
            self.tally.breaches += 1
            log.warning("worker %s: %s: %s", link.session.worker or "unknown", error.code, error.reason)
            self._end(link, error.code, error.reason, retry_after_s=FATAL_S if error.fatal else 5.0)

    def disconnected(self, link: Link) -> None:
        """The connection is gone."""
        link.ended = True
        self._forget(link)

    def tick(self) -> None:
        """To be called a few times a second."""
        now = self.monotonic()
        for link in self._roster.late(now):
            self._end(link, "timeout", f"no hello within {HELLO_LIMIT_S:g} s", retry_after_s=5.0)
        self._perform(self._scheduler.on_tick(now))

    def close(self) -> None:
        """The pool stops: tell workers to come back, and readers that it is over."""
        self._closed = True
        self._roster.close()
        for journal in list(self._journals.values()):
            journal.stream.fail(Unavailable("the pool is shutting down", hint="ask again in a few seconds"))
        self._journals.clear()

    # ---- frames -----------------------------------------------------------------------------------------------------------

    def _received(self, link: Link, frame: bytes | str) -> None:
        match link.session.receive(decode_from_worker(frame), now=self._wall()):
            case Reply(message=challenge):
                link.send(challenge)
            case Introduced(worker=worker, hello=hello):
                self._introduced(link, worker, hello)
            case Heard(message=message):
                self._heard(link, message)
            case Ended(goodbye=goodbye):
                self._said_goodbye(link, goodbye)

    def _introduced(self, link: Link, worker: WorkerId, hello: Hello) -> None:
        """One key, one live session: the newest one fences the one before."""
        older = self._roster.get(worker)
        if older is not None:
            self._end(older, "superseded", "another session with this worker's key has begun", retry_after_s=FATAL_S)
        self._roster.welcome(link, worker, hello, self._scheduler.patience)
        self._catalogue.offered(worker, hello.models, self.monotonic())
        self._on_hello(worker, hello)
        self._perform(self._scheduler.on_worker(worker, hello.models, self.monotonic(), hello.holding))

    def _said_goodbye(self, link: Link, goodbye: Goodbye) -> None:
        log.info("worker %s leaves: %s: %s", link.session.worker or "unknown", goodbye.code[:64], goodbye.reason[:200])
        link.ended = True
        link.socket.close()
        self._forget(link)

    def _heard(
        self, link: Link, message: Started | Progress | Step | Finished | Embedded | Failed | Heartbeat | Models | Drain
    ) -> None:
        worker, now = link.worker, self.monotonic()
        if worker is None:
            return
        match message:
            case Step(sequences=sequences):
                self._scheduler.on_stepped(worker, now)
                for sequence in sequences:
                    self._stepped(link, worker, sequence, now)
            case Started():
                self._started(worker, message, now)
            case Progress():
                if self._counts(self._scheduler.on_progress(worker, message.job, message.epoch, now, message.done_tokens)):
                    prefilled = Prefilled(done_tokens=message.done_tokens, total_tokens=message.total_tokens)
                    self._journals[message.job].stream.put(prefilled)
            case Finished():
                self._finished(worker, message, now)
            case Embedded():
                self._embedded(worker, message, now)
            case Failed():
                self._failed(worker, message, now)
            case Heartbeat() | Models() | Drain():
                self._told(link, worker, message, now)

    def _told(self, link: Link, worker: WorkerId, message: Heartbeat | Models | Drain, now: float) -> None:
        """What a worker says about itself."""
        match message:
            case Heartbeat(ready=ready, resting=resting, moving_to=model, moving_tps=work_tps):
                link.resting = resting
                if model or link.moving:
                    link.moving = bool(model)
                    self._scheduler.on_moving(worker, ModelId(model[:MAX_NAME_CHARACTERS]) if model else None, work_tps, now)
                self._perform(self._scheduler.on_heartbeat(worker, ready, now))
            case Models(models=models):
                link.offer(models)
                self._catalogue.offered(worker, models, now)
                self._perform(self._scheduler.on_offers(worker, models, now))
            case Drain():
                self._scheduler.on_drain(worker, now)

    def _started(self, worker: WorkerId, started: Started, now: float) -> None:
        read = started.prompt_tokens, started.cached_tokens
        if self._counts(self._scheduler.on_started(worker, started.job, started.epoch, now, *read)):
            journal = self._journals[started.job]
            if started.prompt_tokens > journal.most_prompt_tokens:
                raise OutOfOrder(f"a prompt of {started.prompt_tokens} tokens cannot be that of {started.job}")
            journal.stream.put(journal.begun(worker, started))

    def _stepped(self, link: Link, worker: WorkerId, step: SequenceStep, now: float) -> None:
        verdict = self._scheduler.on_tokens(worker, step.job, step.epoch, step.index, len(step.ids), now)
        if not self._counts(verdict):
            return
        journal = self._journals[step.job]
        offer = link.offers.get(self._scheduler.file_of(step.job))
        if offer is None or (step.ids and not (min(step.ids) >= 0 and max(step.ids) < offer.vocabulary_tokens)):
            raise OutOfOrder(f"a token of {step.job} is not in the model's vocabulary")
        if not journal.takes(step.text, len(step.ids)):
            raise OutOfOrder(f"more text than the tokens of {step.job} can hold")
        self.tally.tokens += len(step.ids)
        journal.stream.put(journal.append(step))

    def _finished(self, worker: WorkerId, finished: Finished, now: float) -> None:
        verdict, effects = self._scheduler.on_finished(worker, finished.job, finished.epoch, finished.tokens, now)
        if self._counts(verdict):
            journal = self._journals.pop(finished.job)
            journal.stream.put(journal.ended(finished.reason, finished.text, finished.stop))
            self.tally.completed += 1
        self._perform(effects)

    def _embedded(self, worker: WorkerId, embedded: Embedded, now: float) -> None:
        verdict, effects = self._scheduler.on_embedded(worker, embedded.job, embedded.epoch, now)
        if self._counts(verdict):
            journal = self._journals.pop(embedded.job)
            journal.stream.put(journal.embedded(worker, embedded.vectors, embedded.prompt_tokens))
            self.tally.completed += 1
        self._perform(effects)

    def _failed(self, worker: WorkerId, failed: Failed, now: float) -> None:
        verdict, effects = self._scheduler.on_failed(worker, failed, now)
        if self._counts(verdict):
            if failed.code == "draining":
                self.tally.given_back += 1
            else:
                self.tally.failures += 1
                log.warning("worker %s: %s failed: %s", worker, failed.job, failed.code)
        self._perform(effects)

    def _counts(self, verdict: Verdict) -> bool:
        """Whether a frame counts. Raises OutOfOrder for an assignee that broke the order."""
        if verdict is COUNTS:
            return True
        match verdict:
            case Breach(reason=reason):
                raise OutOfOrder(reason)
            case Stale():
                self.tally.zombies += 1
                return False
            case _:
                return True

    # ---- effects ------------------------------------------------------------------------------------------------------------

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send():
                    self._send(effect)
                case CancelAt() | Continue() | Inform() | Lack():
                    self._roster.perform(effect)
                case Wait(job=job, queued=queued):
                    if job in self._journals:
                        self._journals[job].stream.put(queued)
                case Refuse(job=job, code=code, message=message):
                    journal = self._journals.pop(job, None)
                    if journal is not None:
                        journal.stream.fail(REFUSALS[code](message))
                case Evict(worker=worker, code=code, reason=reason):
                    self.tally.evictions += 1
                    log.warning("worker %s: %s: %s", worker, code, reason)
                    link = self._roster.get(worker)
                    if link is not None:
                        self._end(link, code, reason, retry_after_s=1.0)

    def _send(self, send: Send) -> None:
        journal, link = self._journals.get(send.job), self._roster.get(send.worker)
        if journal is None or link is None:
            return
        if send.epoch > 1:
            self.tally.redispatched += 1
        try:
            link.send(journal.job(send))
        except TooLarge as error:
            self._cancelled(send.job)
            journal.stream.fail(ContextTooLong(f"the request is too large to hand to a worker: {error.reason}"))

    def _cancelled(self, job: JobId) -> None:
        if self._journals.pop(job, None) is not None:
            self.tally.cancelled += 1
            self._perform(self._scheduler.on_cancel(job, self.monotonic()))

    def _end(self, link: Link, code: str, reason: str, *, retry_after_s: float) -> None:
        link.end(code, reason, retry_after_s=retry_after_s)
        self._forget(link)

    def _forget(self, link: Link) -> None:
        """Whatever the link held goes on elsewhere. A fenced link holds nothing any more."""
        worker = self._roster.forget(link)
        if worker is not None:
            self._catalogue.gone(worker, self.monotonic())
            self._perform(self._scheduler.on_worker_gone(worker, self.monotonic()))
