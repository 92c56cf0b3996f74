"""Migrations on a real server."""

import asyncio

import pytest

from pool.store.database import Database
from pool.store.errors import DatabaseUnusable, MigrationChanged
from pool.store.migrate import Migration, migrate, read
from pool.store.store import open_store

ONE = Migration(number=1, name="one", sql="CREATE TABLE one (i integer); INSERT INTO one VALUES (1);")
TWO = Migration(number=2, name="two", sql="INSERT INTO one VALUES (2);")
BAD = Migration(number=2, name="bad", sql="INSERT INTO one VALUES (3); SELECT no_such_thing;")


async def rows(database: Database) -> list[int]:
    found = await database.transaction(lambda connection: connection.fetch("SELECT i FROM one ORDER BY i"))
    return [row["i"] for row in found]


async def test_our_own_are_applied_once(dsn: str) -> None:
    async with await Database.open(dsn) as database:
        assert await migrate(database) == read()
        assert await migrate(database) == ()


async def test_only_what_is_new_is_applied(dsn: str) -> None:
    async with await Database.open(dsn) as database:
        await migrate(database, [ONE])
        assert await migrate(database, [ONE, TWO]) == (TWO,)
        assert await rows(database) == [1, 2]


async def test_two_programs_at_once_apply_each_once(dsn: str) -> None:
    async with await Database.open(dsn) as first, await Database.open(dsn) as second:
        done = await asyncio.gather(migrate(first, [ONE, TWO]), migrate(second, [ONE, TWO]))
        assert sorted(m.number for some in done for m in some) == [1, 2]
        assert await rows(first) == [1, 2]


async def test_a_changed_migration_is_refused(dsn: str) -> None:
    async with await Database.open(dsn) as database:
        await migrate(database, [ONE])
        with pytest.raises(MigrationChanged):
            await migrate(database, [Migration(number=1, name="one", sql="SELECT 1")])


async def test_a_migration_that_fails_leaves_nothing(dsn: str) -> None:
    async with await Database.open(dsn) as database:
        await migrate(database, [ONE])
        with pytest.raises(Exception, match="no_such_thing"):
            await migrate(database, [ONE, BAD])
        assert await migrate(database, [ONE, TWO]) == (TWO,)
        assert await rows(database) == [1, 2]


@pytest.mark.parametrize("change", [("postgresql", "nonsense"), ("iamine:", "iamine:wrong"), ("iamine:", "nobody:")])
async def test_a_dsn_that_is_wrong_is_told(dsn: str, change: tuple[str, str]) -> None:
    with pytest.raises(DatabaseUnusable) as caught:
        await open_store(dsn.replace(*change, 1), wait_s=2)
    assert "postgresql://" in caught.value.hint
