"""Kept answers as they are written down: sealed by their client's secret, gone when the answer is."""

from collections.abc import Sequence

from iamine.ids import AccountId, JobId, WorkerId
from pool.dispatch.journals import Kin, Progress, Row, Written
from pool.store import queries
from pool.store.database import Connection, Database

REMEMBER_S = 24 * 3600.0  # that a key was used; Stripe's figure


class Journals:
    """The room of pool.dispatch.journals.Journals. Every write is idempotent."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = queries.load("journals")

    async def begin(
        self, *, job: JobId, account: AccountId, tag: bytes, body: bytes, sealed: bytes, jobs: Sequence[JobId], keep_s: float
    ) -> bool:
        """A new one; False when the tag is taken by another job. Raises: DatabaseAway."""

        async def work(connection: Connection) -> bool:
            await connection.execute(self._sql["clear_expired"], tag)
            await connection.execute(self._sql["insert_answer"], job, account, tag, body, sealed, keep_s)
            row = await connection.fetchrow(self._sql["find_job_of_tag"], tag)
            if row is None or row["job"] != job:
                return False
            numbered = [(one, job, ordinal) for ordinal, one in enumerate(jobs)]
            await connection.executemany(self._sql["insert_kept_job"], numbered)
            return True

        return await self._database.transaction(work)

    async def find(self, tag: bytes, *, keep_s: float) -> Row | None:
        """The one of this tag, which then lives for `keep_s` at least; None when it expired. Raises: DatabaseAway."""

        async def work(connection: Connection) -> Row | None:
            found = await connection.fetchrow(self._sql["find_answer"], tag)
            if found is None:
                return None
            job = found["job"]
            await connection.execute(self._sql["keep"], [job], keep_s)
            jobs = await connection.fetch(self._sql["list_kept_jobs"], job)
            pages = await connection.fetch(self._sql["list_journal"], job)
            return Row(
                job=JobId(job),
                body=found["body"],
                over=found["over"],
                sealed=found["sealed"],
                jobs=tuple(JobId(one["job"]) for one in jobs),
                journal=tuple(Written(job=JobId(p["job"]), ordinal=p["ordinal"], sealed=p["sealed"]) for p in pages),
            )

        return await self._database.transaction(work)

    async def write(self, rows: Sequence[Progress], *, keep_s: float) -> None:
        """More of them; nothing is written to one that has ended. Raises: DatabaseAway."""
        pages = [(row.kin.job, row.ordinal, row.sealed) for row in rows]
        stands = [(row.kin.job, row.kin.epoch, row.kin.worker, row.file_sha256, row.tokens) for row in rows]

        async def work(connection: Connection) -> None:
            await connection.executemany(self._sql["insert_journal"], pages)
            await connection.executemany(self._sql["update_kept_job"], stands)
            await connection.execute(self._sql["keep"], [row.answer for row in rows], keep_s)

        await self._database.transaction(work)

    async def touch(self, answers: Sequence[JobId], *, keep_s: float) -> None:
        """These live. Raises: DatabaseAway."""
        await self._database.transaction(lambda connection: connection.execute(self._sql["keep"], list(answers), keep_s))

    async def over(self, answer: JobId) -> None:
        """Its text goes; its tag is remembered for REMEMBER_S. Raises: DatabaseAway."""

        async def work(connection: Connection) -> None:
            await connection.execute(self._sql["delete_jobs"], answer)
            await connection.execute(self._sql["end_answer"], answer, REMEMBER_S)

        await self._database.transaction(work)

    async def drop(self, answer: JobId) -> None:
        """All of it goes. Raises: DatabaseAway."""
        await self._database.transaction(lambda connection: connection.execute(self._sql["delete_answer"], answer))

    async def expected(self, *, keep_s: float) -> Sequence[Kin]:
        """At the pool's start: the jobs that an earlier one left, which live for `keep_s` from now. Raises: DatabaseAway."""

        async def work(connection: Connection) -> list[Kin]:
            live = [row["job"] for row in await connection.fetch(self._sql["list_live"])]
            await connection.execute(self._sql["keep"], live, keep_s)
            rows = await connection.fetch(self._sql["list_expected"])
            return [
                Kin(job=JobId(r["job"]), epoch=r["epoch"], worker=None if r["worker"] is None else WorkerId(r["worker"]))
                for r in rows
            ]

        return await self._database.transaction(work)

    async def sweep(self) -> None:
        """What expired goes; its jobs are lost. Raises: DatabaseAway."""
        await self._database.transaction(lambda connection: connection.execute(self._sql["sweep"]))
