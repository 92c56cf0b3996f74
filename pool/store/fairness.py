"""What workers are owed and accounts were served, written now and then: a few seconds of it are lost with the process."""

from collections.abc import Mapping, Sequence

from iamine.ids import AccountId, WorkerId
from pool.routing.choose import NS
from pool.routing.counters import Spent
from pool.routing.deficit import aged, clamped
from pool.routing.kept import Owed
from pool.store import queries
from pool.store.database import Connection, Database

SPENT_DAYS = 30


class Fairness:
    """Deficits by worker and file; counters and what was spent by account."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = queries.load("fairness")

    async def keep_deficits(self, owed: Sequence[Owed]) -> None:
        """All of them in one statement. Raises: DatabaseAway."""
        columns = [one.worker for one in owed], [one.file_sha256 for one in owed], [one.deficit_s for one in owed]
        await self._database.transaction(lambda connection: connection.execute(self._sql["upsert_deficits"], *columns))

    async def deficits_ns(self, worker: WorkerId) -> Mapping[str, int]:
        """What the worker was owed by file when it was last written, less what time took of it. Raises: DatabaseAway."""
        rows = await self._database.transaction(lambda connection: connection.fetch(self._sql["list_deficits"], worker))
        return {row["file_sha256"]: clamped(round(row["deficit_s"] * aged(row["age_s"]) * NS)) for row in rows}

    async def keep_spent(self, spent: Sequence[Spent]) -> None:
        """Counters and what was spent today, in one transaction. Raises: DatabaseAway.

        An account that is not there (any more) is left out. Told twice, because a commit's answer was lost, it adds twice.
        """
        accounts = [one.account for one in spent]

        async def work(connection: Connection) -> None:
            await connection.execute(self._sql["upsert_counters"], accounts, [one.counter for one in spent])
            await connection.execute(self._sql["add_spent"], accounts, [one.cost for one in spent])

        await self._database.transaction(work)

    async def counters(self) -> Mapping[AccountId, float]:
        """Every account's counter. Raises: DatabaseAway."""
        rows = await self._database.transaction(lambda connection: connection.fetch(self._sql["list_counters"]))
        return {AccountId(row["account"]): row["counter"] for row in rows}

    async def spent(self) -> Mapping[AccountId, float]:
        """Virtual tokens that each account was served in 30 days. Raises: DatabaseAway."""
        rows = await self._database.transaction(lambda connection: connection.fetch(self._sql["list_spent"], SPENT_DAYS))
        return {AccountId(row["account"]): row["cost"] for row in rows}
