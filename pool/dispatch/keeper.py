"""Whose answers outlive a connection, or the pool itself: those of requests that name themselves by an Idempotency-Key.

A kept answer's events go, sealed with its client's secret, into the journal a few times a second, off the token path.
A client that repeats its request is told all of them again, whether this pool or an earlier one began the answer.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec

from iamine.ids import JobId
from iamine.sealing import NONCE_BYTES, SealBroken
from pool.dispatch import entries
from pool.dispatch.answer import Answer
from pool.dispatch.journals import HeldJobs, Journals, Kin, Progress, Row
from pool.dispatch.kept import Claim, End, Fixed, Kept, KeptStream
from pool.errors import IdempotencyKeyReused, IdempotencyKeyUsed, PoolError, ResumeLost
from pool.routing.adoptions import Expected
from pool.routing.types import Standing

log = logging.getLogger("iamine.pool.dispatch")

Begin = Callable[[Kept], Awaitable[Answer]]
Later = Callable[[float, Callable[[], object]], object]  # after so many seconds, do this
LOOK_AGAIN_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """How long what is kept, in seconds.

    `hold_s`: workers go on without a pool. `grace_s`: a job goes on without its client. `replay_s`: a whole answer may be
    told again, from memory only. `linger_s`: its journal stays after the last byte, which may not have reached the client.
    `resume_s`: what a lost pool had written down waits for its client. `return_s`: from its start on the pool waits for
    workers to come back before it begins their jobs again elsewhere. `unattended`: jobs of an account without a client.
    """

    hold_s: float = 60.0
    grace_s: float = 60.0
    replay_s: float = 60.0
    linger_s: float = 2.0
    resume_s: float = 120.0
    return_s: float = 15.0
    write_every_s: float = 0.2
    touch_every_s: float = 30.0
    unattended: int = 16


class Keeper:
    """Owns every kept answer. One task writes; nothing here waits on the way of a token."""

    def __init__(
        self, *, hub: HeldJobs, journals: Journals, keeping: Keeping | None = None, later: Later | None = None
    ) -> None:
        self._hub = hub
        self._later = later or _call_later
        self._journals = journals
        self.keeping = keeping or Keeping()
        self._kept: dict[bytes, Kept] = {}
        self._writing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._lingering: set[Kept] = set()
        self._closing = False
        self._return_by = hub.monotonic() + self.keeping.return_s
        self._touched_at = hub.monotonic()

    # ---- requests -----------------------------------------------------------------------------------------------------

    async def answer(self, claim: Claim, begin: Begin, *, resumes: JobId | None = None) -> Answer:
        """The answer to this request: begun, or told again from its first event on, as the same job.

        `resumes`: the job that the client has the beginning of. Raises IdempotencyKeyReused, IdempotencyKeyUsed,
        ResumeLost, and whatever `begin` raises.
        """
        kept = self._kept.get(claim.tag)
        if kept is None:
            kept = self._kept[claim.tag] = Kept(claim=claim, owner=self, hold_s=self.keeping.hold_s)
        if kept.claim.body != claim.body:
            raise _reused()
        async with kept.lock:
            new = False
            try:
                self._kept[claim.tag] = kept
                await self._found(kept, resumes)
                new = kept.fixed is None
                return await begin(kept)
            except BaseException as error:
                if not kept.attended:
                    self._forget(kept)
                elif new and isinstance(error, PoolError):
                    self._give_up(kept)
                raise

    async def _found(self, kept: Kept, resumes: JobId | None) -> None:
        """Whatever is known of it."""
        if kept.fixed is None:
            await self._load(kept)
        if resumes is not None and (kept.fixed is None or kept.job != resumes):
            raise ResumeLost(
                f"Nothing is kept of {resumes}, which Last-Event-ID names.",
                hint="Drop what you have of it, and ask again without Last-Event-ID.",
            )

    async def _load(self, kept: Kept) -> None:
        """What an earlier pool wrote down of it, if there is anything. Raises IdempotencyKeyUsed or -Reused, PoolError."""
        row = await self._journals.find(kept.claim.tag, keep_s=self.keeping.resume_s)
        if row is None:
            return
        if row.body != kept.claim.body:
            raise _reused()
        if row.over:
            message = f"The answer to this Idempotency-Key, {row.job}, was given, and its text is not kept."
            raise IdempotencyKeyUsed(message, hint="Send the request with another key to have it answered again.")
        try:
            self._read(kept, row)
        except (SealBroken, msgspec.DecodeError):
            log.error("job %s: its journal cannot be read", row.job)
            kept.fixed, kept.streams = None, {}
            raise IdempotencyKeyUsed(f"What is kept of {row.job} cannot be read.", hint="Use another key.") from None
        await self._await_workers(kept)

    def _read(self, kept: Kept, row: Row) -> None:
        box = kept.claim.secret.box("journal", row.job)
        kept.fixed = msgspec.msgpack.decode(box.open(row.sealed, row.job), type=Fixed)
        kept.rows = 1 + max((written.ordinal for written in row.journal), default=-1)
        for job in row.jobs:
            stream = kept.streams[job] = KeptStream(job, Standing())
            for written in row.journal:
                if written.job == job:
                    page = entries.read(box.open(written.sealed, _place(job, written.ordinal)))
                    if page.offset > len(stream.events):
                        raise SealBroken(f"a page of {job} is missing")
                    stream.standing = page.standing or stream.standing
                    stream.take(page.events[max(0, len(stream.events) - page.offset) :])
            kept.written[job] = len(stream.events)

    async def _await_workers(self, kept: Kept) -> None:
        """The workers that hold its jobs are on their way back; for a while that is waited for."""
        wanted = [stream.job for stream in kept.streams.values() if not stream.over]
        while self._hub.monotonic() < self._return_by and not all(map(self._hub.is_held, wanted)):  # noqa: ASYNC110
            await asyncio.sleep(LOOK_AGAIN_S)

    # ---- what becomes of an answer ------------------------------------------------------------------------------------

    def standing(self, job: JobId) -> Standing:
        """What a running job's file and prompt are known by."""
        return self._hub.standing(job)

    def begun(self, kept: Kept) -> "asyncio.Task[None]":
        """It is new: write it down."""
        sealed = self._seal(kept, msgspec.msgpack.encode(kept.fixed), kept.job)
        return self._soon(self._begin(kept, sealed))

    async def _begin(self, kept: Kept, sealed: bytes) -> None:
        claim = kept.claim
        new = await self._journals.begin(
            job=kept.job,
            account=claim.account,
            tag=claim.tag,
            body=claim.body,
            sealed=sealed,
            jobs=tuple(kept.streams),
            keep_s=self.keeping.resume_s,
        )
        if not new:
            raise IdempotencyKeyUsed("Another request with this Idempotency-Key was just begun.", hint="Send it again.")

    def read(self, kept: Kept) -> None:
        """One more reader."""
        kept.readers += 1
        kept.attended += 1

    def left(self, kept: Kept, end: End) -> "asyncio.Task[None]":
        """A reader is done. The answer ends when one has it all, when it failed, or when nobody came back for it."""
        kept.readers -= 1
        kept.prompt_tokens = max(kept.prompt_tokens, end.prompt_tokens)
        if kept.ended or (self._closing and end.status != "complete"):
            return self._soon(_nothing())
        if end.status == "cut":
            if not kept.readers:
                self._leave(kept)
            return self._soon(_nothing())
        return self._end(kept, end)

    def _leave(self, kept: Kept) -> None:
        """Nobody listens: the job goes on for a while, unless the account has too many of those."""
        attended = kept.attended
        self._later(self.keeping.grace_s, lambda: self._forsake(kept, attended))
        account = kept.claim.account
        alone = [one for one in self._kept.values() if one.running and not one.readers and one.claim.account == account]
        for one in alone[: max(0, len(alone) - self.keeping.unattended)]:
            self._give_up(one)

    def _forsake(self, kept: Kept, attended: int) -> None:
        """The grace is over. Whoever came in between has started another one by leaving."""
        if not kept.readers and kept.attended == attended and not self._closing:
            self._give_up(kept)

    def _give_up(self, kept: Kept) -> None:
        """Nobody wants it any more; its key is free again."""
        if kept.running:
            tokens, segments = kept.tokens(), kept.segments()
            self._end(kept, End(status="cut", prompt_tokens=kept.prompt_tokens, completion_tokens=tokens, segments=segments))

    def _end(self, kept: Kept, end: End) -> "asyncio.Task[None]":
        kept.ended = True
        kept.cancel()
        if end.status == "complete":
            self._later(self.keeping.replay_s, lambda: self._forget(kept))
        else:
            self._forget(kept)
        return self._soon(self._ending(kept, end))

    def _forget(self, kept: Kept) -> None:
        if self._kept.get(kept.claim.tag) is kept:
            del self._kept[kept.claim.tag]

    async def _ending(self, kept: Kept, end: End) -> None:
        """The record first, then the journal's text; of a complete answer the key is remembered."""
        if kept.record is not None:
            recorded = kept.record.finish(
                end.status,
                prompt_tokens=end.prompt_tokens,
                completion_tokens=end.completion_tokens,
                segments=end.segments,
            )
            await asyncio.wait({recorded})
        if end.status == "complete":
            self._lingering.add(kept)
            self._later(self.keeping.linger_s, lambda: self._soon(self._clear(kept, self._journals.over)))
        else:
            await self._clear(kept, self._journals.drop)

    async def _clear(self, kept: Kept, clear: Callable[[JobId], Awaitable[None]]) -> None:
        """Its text goes from the database."""
        async with self._writing:
            self._lingering.discard(kept)
            try:
                await clear(kept.job)
            except PoolError as error:
                log.error("job %s: its journal stays until it expires: %s", kept.job, type(error).__name__)

    # ---- the journal --------------------------------------------------------------------------------------------------

    async def expect(self) -> None:
        """At the pool's start: what an earlier one left. Raises DatabaseAway."""
        await self._journals.sweep()
        until = self._hub.monotonic() + self.keeping.resume_s
        for kin in await self._journals.expected(keep_s=self.keeping.resume_s):
            self._hub.expect(Expected(job=kin.job, epoch=kin.epoch, worker=kin.worker, until_s=until))

    async def run(self) -> None:
        """Write what is new, again and again; to be cancelled at the end."""
        while True:
            await asyncio.sleep(self.keeping.write_every_s)
            try:
                await self.write()
            except PoolError:
                continue  # the database is away: what is new is written later
            except Exception as error:  # noqa: BLE001 - the loop outlives whatever one round meets
                log.error("a round of the journal failed: %s", type(error).__name__)

    async def write(self) -> None:
        """One round. Raises DatabaseAway."""
        async with self._writing:
            rows: list[Progress] = []
            taken: list[tuple[Kept, JobId, int]] = []
            for kept in dict.fromkeys([*self._kept.values(), *self._lingering]):
                if (kept.running or kept in self._lingering) and kept.known:
                    for stream in kept.streams.values():
                        self._gather(kept, stream, rows, taken)
            if rows:
                await self._journals.write(rows, keep_s=self.keeping.resume_s)
            for kept, job, count in taken:
                kept.written[job] = count
            await self._touch()

    def _gather(self, kept: Kept, stream: KeptStream, rows: list[Progress], taken: list[tuple[Kept, JobId, int]]) -> None:
        """What is new of one job, sealed. A round that fails leaves its numbers unused: a number never gets a second text."""
        done, count = kept.written.get(stream.job, 0), len(stream.events)
        if count == done:
            return
        ordinal, kept.rows = kept.rows, kept.rows + 1
        plain = entries.write(stream.events[done:count], stream.standing, done)
        worker = stream.tally.segments[-1].worker if stream.tally.segments else None
        rows.append(
            Progress(
                answer=kept.job,
                ordinal=ordinal,
                sealed=self._seal(kept, plain, _place(stream.job, ordinal)),
                kin=Kin(job=stream.job, epoch=stream.epoch, worker=worker),
                file_sha256=stream.standing.file_sha256,
                tokens=stream.tally.tokens,
            )
        )
        taken.append((kept, stream.job, count))

    async def _touch(self) -> None:
        """Keep what lives from expiring, and remove what expired."""
        now = self._hub.monotonic()
        if now - self._touched_at < self.keeping.touch_every_s:
            return
        live = [kept.job for kept in self._kept.values() if kept.running]
        await self._journals.touch(live, keep_s=self.keeping.resume_s)
        await self._journals.sweep()
        self._touched_at = now

    def _seal(self, kept: Kept, plain: bytes, place: str) -> bytes:
        return kept.box().seal(plain, place, secrets.token_bytes(NONCE_BYTES))

    # ---- the pool's end -----------------------------------------------------------------------------------------------

    def close(self) -> None:
        """The pool stops: what is kept stays written down for the next one."""
        self._closing = True

    async def drain(self, timeout_s: float) -> None:
        """Write the last of it."""
        with contextlib.suppress(PoolError, TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self.write()
                if self._tasks:
                    await asyncio.wait(self._tasks)
                for kept in list(self._lingering):
                    await self._clear(kept, self._journals.over)

    def _soon(self, work: "Awaitable[None]") -> "asyncio.Task[None]":
        task = asyncio.ensure_future(work)
        assert isinstance(task, asyncio.Task)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # told to whoever waits for it


def _call_later(delay_s: float, act: Callable[[], object]) -> object:
    return asyncio.get_running_loop().call_later(delay_s, act)


async def _nothing() -> None:
    """A task that is over at once."""


def _place(job: JobId, ordinal: int) -> str:
    return f"{job}/{ordinal}"


def _reused() -> IdempotencyKeyReused:
    return IdempotencyKeyReused(
        "This Idempotency-Key came with another request before.", hint="Use a new key for a new request."
    )
