"""The record of every job: who asked which model, how it ended, and which worker gave which tokens. No text."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from iamine.ids import AccountId, JobId, ModelId, WorkerId
from iamine.wire.messages import Value
from pool.routing.history import UNTOLD, Story, Takeover
from pool.routing.types import Segment, Start
from pool.store import queries
from pool.store.database import Connection, Database, as_json
from pool.store.group import Group

EndStatus = Literal["complete", "cut", "failed", "void"]
Status = Literal["running", "complete", "cut", "failed", "void", "lost"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """A job as it is kept; `segments` in the order of the answer's tokens, `takeovers` each with its choice."""

    job: JobId
    account: AccountId
    model: ModelId
    status: Status
    prompt_tokens: int
    completion_tokens: int
    created_at: datetime
    finished_at: datetime | None
    tier: str
    degraded: bool
    tier_reason: str
    reason: str
    waited_s: float
    segments: tuple[Segment, ...]
    takeovers: tuple[tuple[int, Takeover], ...]


class _Row(Value, frozen=True, kw_only=True):
    """A job as it is to be written: running, or ended."""

    start: Start
    status: Status = "running"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    segments: Sequence[Segment] = ()
    story: Story = UNTOLD

    @property
    def key(self) -> JobId:
        return self.start.job

    def columns(self) -> dict[str, object]:
        start, story = self.start, self.story
        return {
            "id": start.job,
            "account": start.account,
            "model": start.model,
            "tier": start.tier,
            "degraded": start.degraded,
            "tier_reason": start.tier_reason,
            "at_s": start.at_s,
            "status": self.status,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "reason": story.reason,
            "waited_s": story.waited_s,
            "legs": [{"worker": leg.worker, "start": leg.start, "stop": leg.stop} for leg in self.segments],
            "losses": [
                {"choice": choice, "worker": one.worker, "token": one.token, "why": one.why, "after_s": one.after_s}
                for choice, one in story.takeovers
            ],
        }


class Jobs:
    """Writes are idempotent by the job's id: the first end counts. Those that wait are written together."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = queries.load("jobs")
        self._group: Group[_Row] = Group(self._write, wait_s=database.wait_s)

    @property
    def steady(self) -> bool:
        """Whether writes go through, as far as is known."""
        return self._group.steady

    async def begin(self, start: Start) -> None:
        """The job runs. Raises: DatabaseAway."""
        await self._group.put(_Row(start=start))

    def finish(
        self,
        start: Start,
        *,
        status: EndStatus,
        prompt_tokens: int,
        completion_tokens: int,
        segments: Sequence[Segment],
        story: Story = UNTOLD,
    ) -> "asyncio.Future[None]":
        """The job has ended, whether or not its beginning is on record (one told `lost` by a restart may still end).

        Done when it is written, or with DatabaseAway.
        """
        return self._group.put(
            _Row(
                start=start,
                status=status,
                prompt_tokens=prompt_tokens,
                completion_tokens=completion_tokens,
                segments=segments,
                story=story,
            )
        )

    async def _write(self, rows: Sequence[_Row], wait_s: float) -> list[Exception | None]:
        """All of them in one statement."""
        await self._database.statement(self._sql["write_jobs"], as_json([row.columns() for row in rows]), wait_s=wait_s)
        return [None] * len(rows)

    async def find(self, job: JobId) -> JobRecord | None:
        """The record, or None."""

        async def work(connection: Connection) -> JobRecord | None:
            row = await connection.fetchrow(self._sql["find_job"], job)
            if row is None:
                return None
            legs = await connection.fetch(self._sql["list_segments"], job)
            segments = tuple(Segment(worker=WorkerId(s["worker"]), start=s["start"], stop=s["stop"]) for s in legs)
            losses = await connection.fetch(self._sql["list_takeovers"], job)
            fields = dict(row)
            return JobRecord(job=JobId(fields.pop("id")), segments=segments, takeovers=tuple(map(_takeover, losses)), **fields)

        return await self._database.transaction(work)

    async def lose_running(self) -> int:
        """At the pool's start: the jobs that a crash left running are lost, but for kept ones; how many they were."""
        return len(await self._database.transaction(lambda connection: connection.fetch(self._sql["lose_running"])))


def _takeover(row: Mapping[str, Any]) -> tuple[int, Takeover]:
    found = Takeover(worker=WorkerId(row["worker"]), token=row["token"], why=row["why"], after_s=row["after_s"])
    return row["choice"], found
