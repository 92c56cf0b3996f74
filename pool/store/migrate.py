"""Forward-only migrations: numbered .sql files, each applied once, in its own transaction."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pool.store import queries
from pool.store.database import Connection, Database
from pool.store.errors import DatabaseUnusable, MigrationChanged

MIGRATIONS_DIR = queries.SQL_DIR / "migrations"
OLDEST_SERVER = 150000  # PostgreSQL 15: the oldest one supported at the time of writing that Debian 12 carries
LOCK_NUMBER = 0x1A1113  # any constant that no one else locks
_FILE = re.compile(r"^(\d{4})_([a-z0-9_]+)\.sql$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step of the schema; the checksum is the SHA-256 of its SQL, hex."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def read(folder: Path = MIGRATIONS_DIR) -> tuple[Migration, ...]:
    """The migrations in order. Raises: ValueError when a file's name is no number, or the numbers have a hole."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = _FILE.match(path.name)
        if match is None:
            raise ValueError(f"{path.name} is not called NNNN_name.sql")
        found.append(Migration(number=int(match[1]), name=match[2], sql=path.read_text(encoding="utf-8")))
    if [m.number for m in found] != list(range(1, len(found) + 1)):
        raise ValueError(f"migrations are not numbered 1, 2, 3 ...: {[m.number for m in found]}")
    return tuple(found)


def missing(known: Sequence[Migration], applied: Sequence[tuple[int, str, str]]) -> tuple[Migration, ...]:
    """What is still to apply, given (number, name, checksum) of the applied ones in order. Raises: MigrationChanged."""
    if len(applied) > len(known):
        raise MigrationChanged(
            f"the database is newer than this program (it has migration {applied[-1][0]}, this program knows {len(known)})",
            hint="update the program, or restore a backup of the data made by this version",
        )
    for migration, (number, name, checksum) in zip(known, applied, strict=False):
        if (migration.number, migration.checksum) != (number, checksum):
            raise MigrationChanged(
                f"migration {number} ({name}) was changed after it had been applied",
                hint="restore the file as it was released; put a change into a new migration",
            )
    return tuple(known[len(applied) :])


async def migrate(database: Database, migrations: Sequence[Migration] | None = None) -> tuple[Migration, ...]:
    """Bring the tables up to date and say what was applied. Raises: DatabaseUnusable, MigrationChanged, DatabaseAway."""
    known = read() if migrations is None else tuple(migrations)
    sql = queries.load("migrate")
    check_server(await database.transaction(lambda connection: connection.fetchrow(sql["server"])))
    done: list[Migration] = []
    while (applied := await database.transaction(lambda connection: _apply_next(connection, sql, known))) is not None:
        done.append(applied)
    return tuple(done)


async def _apply_next(connection: Connection, sql: queries.Queries, known: Sequence[Migration]) -> Migration | None:
    await connection.execute(sql["lock"], LOCK_NUMBER)
    await connection.execute(sql["make_table"])
    rows = await connection.fetch(sql["list_applied"])
    todo = missing(known, [(row["number"], row["name"], row["checksum"]) for row in rows])
    if not todo:
        return None
    await connection.execute(todo[0].sql)
    await connection.execute(sql["insert_applied"], todo[0].number, todo[0].name, todo[0].checksum)
    return todo[0]


def check_server(row: Any) -> None:
    """Is this server new enough, and does it have pgvector? Raises: DatabaseUnusable."""
    if row["version"] < OLDEST_SERVER:
        raise DatabaseUnusable(
            f"PostgreSQL {row['version_text']} is too old",
            hint=f"use version {OLDEST_SERVER // 10000} or newer, or leave `dsn` out for the embedded server",
        )
    if not row["has_vector"]:
        raise DatabaseUnusable(
            "this PostgreSQL has no `vector` extension",
            hint="install pgvector on the database server, or leave `dsn` out for the embedded server",
        )
    if not row["made_vector"] and not row["is_superuser"]:
        raise DatabaseUnusable(
            "this database has no `vector` extension yet and its user may not create it",
            hint="as a superuser, in this database: CREATE EXTENSION vector",
        )
