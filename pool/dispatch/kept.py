"""An answer that outlives its connection: its jobs' events are kept, and readers come and go."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from iamine.ids import AccountId, JobId
from iamine.sealing import Box, Secret
from pool.dispatch.entries import resumed
from pool.dispatch.events import Spoken
from pool.dispatch.ports import JobStream, Status
from pool.dispatch.record import RECORD_WAIT_S, Record
from pool.dispatch.tally import Tally
from pool.errors import PoolError
from pool.openai.types import Chosen
from pool.routing.types import Begun, Delta, Ended, JobEvent, JobOrder, ModelCard, Prefilled, Queued, Segment, Standing, Vectors

EVENTS_AT_ONCE = 64  # that a reader takes of what is there already before others may run

Submit = Callable[[JobOrder], JobStream]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A request that names itself. `tag` and `body` are made with the client's secret of its Idempotency-Key and its body."""

    account: AccountId
    tag: bytes
    body: bytes
    secret: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """What an answer that is told again, or begun again, has in common with the first time."""

    job: JobId
    wall_time_s: float
    card: ModelCard
    chosen: Chosen


class KeptStream:
    """One job's events from the first on; `over` once no more come."""

    def __init__(self, job: JobId, standing: Standing, events: Sequence[JobEvent] = ()) -> None:
        self.job = job
        self.standing = standing
        self.events: list[JobEvent] = []
        self.news: Queued | Prefilled | None = None
        self.error: PoolError | None = None
        self.over = False
        self.tally = Tally()
        self.epoch = 0
        self._source: JobStream | None = None
        self._pump: asyncio.Task[None] | None = None
        self._readers: set[asyncio.Event] = set()
        self.take(events)

    def take(self, events: Sequence[JobEvent]) -> None:
        """These have come."""
        for event in events:
            self._put(event)

    @property
    def followed(self) -> bool:
        """Whether a job gives it events, or gave them all."""
        return self.over or self._pump is not None

    def resumed(self, order: JobOrder) -> JobOrder:
        """The order to go on after the events that are here."""
        return order.but(resumed=resumed(self.events, self.standing))

    def follow(self, source: JobStream, standing: Callable[[JobId], Standing]) -> None:
        """Take the events of the job's stream, to its end."""
        self._source = source
        self._pump = asyncio.create_task(self._follow(source, standing))

    async def _follow(self, source: JobStream, standing: Callable[[JobId], Standing]) -> None:
        try:
            async for event in source:
                if isinstance(event, Begun):
                    self.standing = standing(self.job)
                if not isinstance(event, Spoken):  # of a provider's stream, and a kept answer does not leave the pool
                    self._put(event)
        except PoolError as error:
            self.error = error
        finally:
            self.over = True
            self._wake()

    def cancel(self) -> None:
        """The job is not wanted any more."""
        if self._source is not None:
            self._source.cancel()

    def reader(self) -> "KeptReader":
        """All events from the first on, for one more reader."""
        changed = asyncio.Event()
        self._readers.add(changed)
        return KeptReader(self, changed)

    def forget(self, changed: asyncio.Event) -> None:
        """That reader reads no more."""
        self._readers.discard(changed)

    def _put(self, event: JobEvent) -> None:
        match event:
            case Queued() | Prefilled():
                self.news = event
            case Begun():
                self.epoch = event.epoch
                self.tally.on_worker(event.worker)
                self.events.append(event)
            case Delta():
                self.tally.on_tokens(event.index + len(event.ids))
                self.events.append(event)
            case Ended() | Vectors():
                self.over = True
                self.events.append(event)
        self._wake()

    def _wake(self) -> None:
        for changed in self._readers:
            changed.set()


class KeptReader:
    """One reader's way through a kept stream. Cancelling it ends the reading and not the job."""

    def __init__(self, stream: KeptStream, changed: asyncio.Event) -> None:
        self._stream = stream
        self._changed = changed
        self._next = 0
        self._news: Queued | Prefilled | None = None

    def __aiter__(self) -> AsyncIterator[JobEvent]:
        return self

    async def __anext__(self) -> JobEvent:
        stream = self._stream
        while self._next >= len(stream.events):
            if stream.over and stream.error is not None:
                raise stream.error
            if stream.over:
                raise StopAsyncIteration
            if stream.news is not self._news:
                self._news = stream.news
                if self._news is not None:
                    return self._news
            self._changed.clear()
            await self._changed.wait()
        self._next += 1
        if self._next % EVENTS_AT_ONCE == 0:
            await asyncio.sleep(0)
        return stream.events[self._next - 1]

    def at_hand(self) -> None:
        """Events are told one by one: an answer that is told again must not keep others waiting."""

    def cancel(self) -> None:
        """Stop reading. May be called again."""
        self._stream.forget(self._changed)


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How it ended for one reader: it has all (complete), was told an error (failed) or is not there any more (cut)."""

    status: Status
    prompt_tokens: int
    completion_tokens: int
    segments: tuple[Segment, ...]


class Owner(Protocol):
    """Who decides what becomes of a kept answer."""

    def standing(self, job: JobId) -> Standing:
        """What a running job's file and prompt are known by."""

    def begun(self, kept: "Kept") -> "asyncio.Task[None]":
        """It is new: write it down."""

    def read(self, kept: "Kept") -> None:
        """One more reader."""

    def left(self, kept: "Kept", end: "End") -> "asyncio.Task[None]":
        """A reader is done."""


@dataclass(slots=True, kw_only=True, eq=False)
class Kept:
    """One kept answer. `fixed` is None until it is begun; `hold_s` is how long workers go on without a pool."""

    claim: Claim
    owner: Owner
    hold_s: float
    fixed: Fixed | None = None
    streams: dict[JobId, KeptStream] = field(default_factory=dict)
    record: Record | None = None
    readers: int = 0
    attended: int = 0
    prompt_tokens: int = 0
    ended: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    written: dict[JobId, int] = field(default_factory=dict)
    rows: int = 0
    _begin: "asyncio.Task[None] | None" = None
    _box: Box | None = None

    @property
    def job(self) -> JobId:
        """The answer's job. It must have begun."""
        assert self.fixed is not None
        return self.fixed.job

    @property
    def running(self) -> bool:
        """Whether it has begun and not ended."""
        return self.fixed is not None and not self.ended

    @property
    def known(self) -> bool:
        """Whether the database knows it, so that more of it can be written: what came before that would be lost silently."""
        begin = self._begin
        return begin is None or (begin.done() and not begin.cancelled() and begin.exception() is None)

    def box(self) -> Box:
        """What seals and opens its journal."""
        if self._box is None:
            self._box = self.claim.secret.box("journal", self.job)
        return self._box

    def open(
        self, fixed: Fixed, orders: Sequence[JobOrder], submit: Submit, record: Callable[[], Record]
    ) -> tuple[list[JobStream], "KeptRecord"]:
        """Readers of its jobs, which are begun, or begun again, where they do not run."""
        new, self.fixed = self.fixed is None, self.fixed or fixed
        for order in orders:
            stream = self.streams.get(order.job)
            if stream is None:
                stream = self.streams[order.job] = KeptStream(order.job, Standing())
            if not stream.followed:
                wanted = order if new else stream.resumed(order)
                stream.follow(submit(wanted.but(hold_s=self.hold_s)), self.owner.standing)
        self.record = self.record or record()
        if new:
            self._begin = self.owner.begun(self)
        self.owner.read(self)
        return [self.streams[order.job].reader() for order in orders], KeptRecord(self, self.record, self._begin)

    def cancel(self) -> None:
        """Stop its jobs."""
        for stream in self.streams.values():
            stream.cancel()

    def segments(self) -> tuple[Segment, ...]:
        """All jobs' segments on one line, as an answer tells them."""
        line: list[Segment] = []
        base = 0
        for stream in self.streams.values():
            told = stream.tally.told()
            line += (Segment(worker=one.worker, start=base + one.start, stop=base + one.stop) for one in told)
            base += stream.tally.tokens
        return tuple(line)

    def tokens(self) -> int:
        """Tokens written by now."""
        return sum(one.tally.tokens for one in self.streams.values())


class KeptRecord:
    """The record as one reader's answer sees it: only who has it all, or nobody for long, ends it."""

    def __init__(self, kept: Kept, record: Record, begin: "asyncio.Task[None] | None") -> None:
        self._kept = kept
        self._record = record
        self._begin = begin
        self._left: asyncio.Task[None] | None = None

    async def begun(self) -> None:
        """Wait until the job and its journal are on record. Raises PoolError."""
        await self._record.begun()
        if self._begin is not None:
            await asyncio.shield(self._begin)

    def finish(
        self, status: Status, *, prompt_tokens: int, completion_tokens: int, segments: Sequence[Segment]
    ) -> "asyncio.Task[None]":
        """This reader is done."""
        end = End(status=status, prompt_tokens=prompt_tokens, completion_tokens=completion_tokens, segments=tuple(segments))
        self._left = self._kept.owner.left(self._kept, end)
        return self._left

    async def finished(self) -> None:
        """Wait shortly until what there is to record is on record."""
        assert self._left is not None, "finish() comes first"
        await asyncio.wait({self._left}, timeout=RECORD_WAIT_S)
