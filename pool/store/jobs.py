"""The record of every job: who asked which model, how it ended, and which worker gave which tokens. No text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from iamine.ids import AccountId, JobId, ModelId, WorkerId
from pool.errors import NotFound
from pool.routing.history import UNTOLD, Story, Takeover
from pool.routing.types import Segment
from pool.store import queries
from pool.store.database import Connection, Database
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begin:
    key: JobId
    account: AccountId
    model: ModelId
    tier: str
    degraded: bool
    tier_reason: str

    def row(self) -> tuple[object, ...]:
        return self.key, self.account, self.model, self.tier, self.degraded, self.tier_reason


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finish:
    key: JobId
    status: EndStatus
    prompt_tokens: int
    completion_tokens: int
    segments: tuple[Segment, ...]
    story: Story

    def row(self) -> tuple[object, ...]:
        story = self.story
        return self.key, self.status, self.prompt_tokens, self.completion_tokens, story.reason, story.waited_s

    def legs(self) -> list[tuple[object, ...]]:
        return [(self.key, n, leg.worker, leg.start, leg.stop) for n, leg in enumerate(self.segments)]

    def losses(self) -> list[tuple[object, ...]]:
        told = enumerate(self.story.takeovers)
        return [(self.key, n, choice, one.worker, one.token, one.why, one.after_s) for n, (choice, one) in told]


class Jobs:
    """Both writes are idempotent by the job's id: the first one counts. Those that wait are written together."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = queries.load("jobs")
        self._group: Group[_Begin | _Finish] = Group(self._write, wait_s=database.wait_s)

    async def begin(
        self,
        *,
        job: JobId,
        account: AccountId,
        model: ModelId,
        tier: str = "",
        degraded: bool = False,
        tier_reason: str = "",
    ) -> None:
        """The job runs. Raises: DatabaseAway."""
        begin = _Begin(key=job, account=account, model=model, tier=tier, degraded=degraded, tier_reason=tier_reason)
        await self._group.add(begin)

    async def finish(
        self,
        *,
        job: JobId,
        status: EndStatus,
        prompt_tokens: int,
        completion_tokens: int,
        segments: Sequence[Segment],
        story: Story = UNTOLD,
    ) -> None:
        """The job has ended (one told `lost` by a restart may still end). Raises: NotFound, DatabaseAway."""
        end = _Finish(
            key=job,
            status=status,
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            segments=tuple(segments),
            story=story,
        )
        await self._group.add(end)

    async def _write(self, items: Sequence[_Begin | _Finish], wait_s: float) -> list[Exception | None]:
        """All of them in one statement; what was wrong with each."""
        begun = [item for item in items if isinstance(item, _Begin)]
        ends = [item for item in items if isinstance(item, _Finish)]
        rows = await self._database.statement(
            self._sql["write_jobs"],
            *_columns([item.row() for item in begun], 6),
            *_columns([end.row() for end in ends], 6),
            *_columns([leg for end in ends for leg in end.legs()], 5),
            *_columns([loss for end in ends for loss in end.losses()], 7),
            wait_s=wait_s,
        )
        unknown: set[JobId] = set()
        if len(rows) < len(ends):
            unknown = await self._unknown([end.key for end in ends], wait_s)
        return [_not_begun(item) if isinstance(item, _Finish) and item.key in unknown else None for item in items]

    async def _unknown(self, jobs: Sequence[JobId], wait_s: float) -> set[JobId]:
        rows = await self._database.statement(self._sql["list_known"], list(jobs), wait_s=wait_s)
        return set(jobs) - {row["id"] for row in rows}

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


def _columns(rows: Sequence[Sequence[object]], count: int) -> list[list[object]]:
    """The rows as columns, for unnest."""
    return [[row[i] for row in rows] for i in range(count)]


def _not_begun(end: _Finish) -> NotFound:
    return NotFound(f"no job {end.key} was begun", hint="begin() comes before finish()")
