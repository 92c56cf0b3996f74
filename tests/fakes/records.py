"""The store's records and keys, in memory."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from iamine.ids import AccountId, JobId, ModelId
from pool.dispatch.ports import Status
from pool.errors import PoolError
from pool.routing.history import UNTOLD, Story, Takeover
from pool.routing.types import Segment, Start

KEY = "im_test_key"
BEGUN_AT = datetime.fromtimestamp(1_700_000_000, tz=timezone.utc)
ACCOUNT = AccountId("acc_test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a job ended."""

    job: JobId
    status: Status
    prompt_tokens: int
    completion_tokens: int
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A job as it is found again."""

    job: JobId
    account: AccountId
    model: ModelId
    tier: str
    degraded: bool
    tier_reason: str
    status: str = "running"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    created_at: datetime = BEGUN_AT
    finished_at: datetime | None = None
    reason: str = ""
    waited_s: float = 0.0
    segments: tuple[Segment, ...] = ()
    takeovers: tuple[tuple[int, Takeover], ...] = ()


class FakeRecords:
    """Begin and finish as the store keeps them; `away` is raised instead, `gate` is waited for in both."""

    def __init__(self) -> None:
        self.begun: list[JobId] = []
        self.finished: list[Finished] = []
        self.kept: dict[JobId, Kept] = {}
        self.away: PoolError | None = None
        self.finish_away: PoolError | None = None
        self.gate: asyncio.Event | None = None
        self.steady = True

    async def begin(self, start: Start, *, durably: bool = True) -> None:
        await asyncio.shield(asyncio.create_task(self._begin(start)))

    async def _begin(self, start: Start) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.away is not None:
            raise self.away
        self._keep(start)

    def _keep(self, start: Start) -> None:
        if start.job not in self.begun:
            self.begun.append(start.job)
            fields = {name: getattr(start, name) for name in ("job", "account", "model", "tier", "degraded", "tier_reason")}
            self.kept[start.job] = Kept(**fields)

    def is_kept(self, job: JobId) -> bool:
        return job in self.begun

    def finish(
        self,
        start: Start,
        *,
        status: Status,
        prompt_tokens: int,
        completion_tokens: int,
        segments: Sequence[Segment],
        story: Story = UNTOLD,
    ) -> "asyncio.Task[None]":
        return asyncio.create_task(self._finish(start, status, prompt_tokens, completion_tokens, segments, story))

    async def _finish(
        self,
        start: Start,
        status: Status,
        prompt_tokens: int,
        completion_tokens: int,
        segments: Sequence[Segment],
        story: Story,
    ) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.finish_away is not None:
            raise self.finish_away
        job = start.job
        self._keep(start)
        done = Finished(
            job=job,
            status=status,
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            segments=tuple(segments),
        )
        self.finished.append(done)
        self.kept[job] = replace(
            self.kept[job],
            status=status,
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            segments=tuple(segments),
            reason=story.reason,
            waited_s=story.waited_s,
            takeovers=story.takeovers,
            finished_at=datetime.fromtimestamp(1_700_000_001, tz=timezone.utc),
        )

    async def find(self, job: JobId) -> Kept | None:
        if self.away is not None:
            raise self.away
        return self.kept.get(job)


class FakeKeys:
    """One key is valid."""

    async def authenticate(self, api_key: str) -> AccountId | None:
        return ACCOUNT if api_key == KEY else None


class FakeHealth:
    """Ready unless told why not."""

    def __init__(self) -> None:
        self.reason: str | None = None

    async def unready(self) -> str | None:
        return self.reason
