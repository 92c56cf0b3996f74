"""The store as one thing: the rooms of the database, opened together."""

from pool.store.accounts import Accounts
from pool.store.database import REFUSALS, Database
from pool.store.errors import DatabaseUnusable
from pool.store.fairness import Fairness
from pool.store.jobs import Jobs
from pool.store.journals import Journals
from pool.store.migrate import migrate
from pool.store.models import Models
from pool.store.workers import Workers


class Store:
    """Accounts, fairness, jobs, journals, models and workers on one database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.accounts = Accounts(database)
        self.fairness = Fairness(database)
        self.jobs = Jobs(database)
        self.journals = Journals(database)
        self.models = Models(database)
        self.workers = Workers(database)

    async def healthy(self) -> bool:
        """Does the database answer?"""
        return await self.database.healthy()

    async def close(self) -> None:
        """End every connection, within about 2 s."""
        await self.database.close()


async def open_store(dsn: str, *, wait_s: float = 15.0) -> Store:
    """The store with its tables up to date. Raises: DatabaseUnusable, MigrationChanged, DatabaseAway."""
    database = await Database.open(dsn, wait_s=wait_s)
    try:
        await migrate(database)
    except (*REFUSALS, ValueError) as error:  # ValueError: asyncpg cannot read the DSN
        await database.close()
        raise DatabaseUnusable(
            f"cannot use the database: {error}", hint="check `dsn`: postgresql://user:password@host:5432/database"
        ) from error
    except BaseException:
        await database.close()
        raise
    return Store(database)
