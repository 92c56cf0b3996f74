"""The record of every job: who asked which model, how it ended, and which worker gave which tokens. No text."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from iamine.ids import AccountId, JobId, ModelId, WorkerId
from pool.errors import NotFound
from pool.routing.types import Segment
from pool.store import queries
from pool.store.database import Connection, Database

EndStatus = Literal["complete", "cut", "failed", "void"]
Status = Literal["running", "complete", "cut", "failed", "void", "lost"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """A job as it is kept; `segments` in the order of the answer's tokens."""

    job: JobId
    account: AccountId
    model: ModelId
    status: Status
    prompt_tokens: int
    completion_tokens: int
    created_at: datetime
    finished_at: datetime | None
    segments: tuple[Segment, ...]


class Jobs:
    """Both writes are idempotent by the job's id: the first one counts."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = queries.load("jobs")

    async def begin(self, *, job: JobId, account: AccountId, model: ModelId) -> None:
        """The job runs."""
        await self._database.transaction(lambda connection: connection.execute(self._sql["insert_job"], job, account, model))

    async def finish(
        self, *, job: JobId, status: EndStatus, prompt_tokens: int, completion_tokens: int, segments: Sequence[Segment]
    ) -> None:
        """The job has ended (one told `lost` by a restart may still end). Raises: NotFound, DatabaseAway."""
        legs = [(job, ordinal, s.worker, s.start, s.stop) for ordinal, s in enumerate(segments)]

        async def work(connection: Connection) -> None:
            row = await connection.fetchrow(self._sql["finish_job"], job, status, prompt_tokens, completion_tokens)
            if row is not None:
                await connection.executemany(self._sql["insert_segment"], legs)
            elif await connection.fetchrow(self._sql["find_job"], job) is None:
                raise NotFound(f"no job {job} was begun", hint="begin() comes before finish()")

        await self._database.transaction(work)

    async def find(self, job: JobId) -> JobRecord | None:
        """The record, or None."""

        async def work(connection: Connection) -> JobRecord | None:
            row = await connection.fetchrow(self._sql["find_job"], job)
            if row is None:
                return None
            legs = await connection.fetch(self._sql["list_segments"], job)
            segments = tuple(Segment(worker=WorkerId(s["worker"]), start=s["start"], stop=s["stop"]) for s in legs)
            fields = dict(row)
            return JobRecord(job=JobId(fields.pop("id")), segments=segments, **fields)

        return await self._database.transaction(work)

    async def lose_running(self) -> int:
        """At the pool's start: the jobs that a crash left running are lost, but for kept ones; how many they were."""
        return len(await self._database.transaction(lambda connection: connection.fetch(self._sql["lose_running"])))
