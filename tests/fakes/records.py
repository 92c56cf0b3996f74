"""The store's records and keys, in memory."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from iamine.ids import AccountId, JobId, ModelId
from pool.dispatch.ports import Status
from pool.errors import NotFound, PoolError
from pool.routing.types import Segment

KEY = "im_test_key"
ACCOUNT = AccountId("acc_test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a job ended."""

    job: JobId
    status: Status
    prompt_tokens: int
    completion_tokens: int
    segments: tuple[Segment, ...]


class FakeRecords:
    """Begin and finish as the store keeps them; `away` is raised instead, `gate` is waited for in both."""

    def __init__(self) -> None:
        self.begun: list[JobId] = []
        self.finished: list[Finished] = []
        self.away: PoolError | None = None
        self.finish_away: PoolError | None = None
        self.gate: asyncio.Event | None = None

    async def begin(self, *, job: JobId, account: AccountId, model: ModelId) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.away is not None:
            raise self.away
        self.begun.append(job)

    async def finish(
        self, *, job: JobId, status: Status, prompt_tokens: int, completion_tokens: int, segments: Sequence[Segment]
    ) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.finish_away is not None:
            raise self.finish_away
        if job not in self.begun:
            raise NotFound(f"no job {job}")
        done = Finished(
            job=job,
            status=status,
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            segments=tuple(segments),
        )
        self.finished.append(done)


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
