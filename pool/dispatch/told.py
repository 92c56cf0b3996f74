"""Records as requests tell them: written late where nothing depends on it, with what became of the job on its way.

Most jobs are over within a moment. Theirs is one write, at the end and waited for; one that still runs after LATE_S, or twice
that, is written down as running, so that a pool that comes back knows of it. While the database is away nothing is begun.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Protocol

from iamine.ids import AccountId, JobId, ModelId
from iamine.wire.messages import Value
from pool.dispatch.jobs import Finder, Histories, Kept
from pool.dispatch.ports import Status
from pool.routing.history import Story, Takeover, story
from pool.routing.types import Segment, Start

LATE_S = 0.25

log = logging.getLogger("iamine.pool.dispatch")


class Store(Finder, Protocol):
    """Where records are kept."""

    @property
    def steady(self) -> bool:
        """Whether what is written now will be on disk in a moment, as far as is known."""

    async def begin(self, start: Start) -> None:
        """The job runs. Raises Unavailable."""

    def finish(
        self,
        start: Start,
        *,
        status: Status,
        prompt_tokens: int,
        completion_tokens: int,
        segments: Sequence[Segment],
        story: Story,
    ) -> "asyncio.Future[None]":
        """The job has ended; done when that is on record, or has failed."""


class Running(Value, frozen=True, kw_only=True):
    """A job that runs and is not on record yet, as it will be found there."""

    job: JobId
    account: AccountId
    model: ModelId
    created_at: datetime
    tier: str
    degraded: bool
    tier_reason: str
    status: str = "running"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    finished_at: datetime | None = None
    reason: str = ""
    waited_s: float = 0.0
    segments: tuple[Segment, ...] = ()
    takeovers: tuple[tuple[int, Takeover], ...] = ()


class Told:
    """The records of running jobs between whoever answers and the store."""

    def __init__(self, store: Store, hub: Histories) -> None:
        self._store, self._hub = store, hub
        self._live: dict[JobId, Start] = {}
        self._kept: set[JobId] = set()
        self._late: deque[tuple[float, Start]] = deque()
        self._task: asyncio.Task[None] | None = None

    async def begin(self, start: Start, *, durably: bool) -> None:
        """Wait until the job may begin: at once, while records are written. Raises Unavailable."""
        self._live[start.job] = start
        if durably or not self._store.steady:
            await self._write(start)
            return
        self._late.append((asyncio.get_running_loop().time() + LATE_S, start))
        if self._task is None:
            self._task = asyncio.create_task(self._write_late())

    def is_kept(self, job: JobId) -> bool:
        """Whether the beginning of a job that has not ended is on record."""
        return job in self._kept

    def finish(
        self, start: Start, *, status: Status, prompt_tokens: int, completion_tokens: int, segments: Sequence[Segment]
    ) -> "asyncio.Future[None]":
        """The job's end. Done when it is on record, or has failed."""
        told = story(self._hub.histories(start.job), self._hub.monotonic())
        end = self._store.finish(
            start,
            status=status,
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            segments=segments,
            story=told,
        )
        end.add_done_callback(lambda _: self._forget(start.job))
        return end

    async def find(self, job: JobId) -> Kept | None:
        """The record; of a job that runs without one what will be in it. Raises Unavailable."""
        start = self._live.get(job)
        return await self._store.find(job) if start is None or job in self._kept else _running(start)

    async def _write(self, start: Start) -> None:
        try:
            await self._store.begin(start)
        except BaseException:
            self._forget(start.job)
            raise
        if start.job in self._live:
            self._kept.add(start.job)

    async def _write_late(self) -> None:
        """While anything is begun and not written, and no longer."""
        now_s = asyncio.get_running_loop().time
        try:
            while self._late:
                await asyncio.sleep(LATE_S)  # not until the first is due: there are hundreds a second
                if due := self._due(now_s()):
                    await asyncio.gather(*(self._try(start) for start in due))
        finally:
            self._task = None

    def _due(self, now_s: float) -> list[Start]:
        """Those that have been running for long enough."""
        due: list[Start] = []
        while self._late and self._late[0][0] <= now_s:
            _, start = self._late.popleft()
            if start.job in self._live:
                due.append(start)
        return due

    async def _try(self, start: Start) -> None:
        """Its end will be written with all of it, if this cannot be."""
        try:
            await self._store.begin(start)
        except Exception as error:  # noqa: BLE001 - one that cannot be written must not keep the others from it
            log.warning("job %s: its beginning could not be recorded: %s", start.job, type(error).__name__)
            return
        if start.job in self._live:
            self._kept.add(start.job)

    def _forget(self, job: JobId) -> None:
        self._live.pop(job, None)
        self._kept.discard(job)


def _running(start: Start) -> Running:
    return Running(
        job=start.job,
        account=start.account,
        model=start.model,
        created_at=datetime.fromtimestamp(start.at_s, tz=timezone.utc),
        tier=start.tier,
        degraded=start.degraded,
        tier_reason=start.tier_reason,
    )
