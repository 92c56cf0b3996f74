"""The workers that were ever here: their keys, names and machines, and whose they are."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from iamine.ids import AccountId, WorkerId
from iamine.wire.messages import Gpu, Hardware
from pool.errors import PermissionDenied
from pool.store import queries
from pool.store.database import Connection, Database
from pool.store.group import Group


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRecord:
    """A worker as it was last seen; `hardware` is what the agent told, as JSON values."""

    worker: WorkerId
    public_key: bytes
    name: str
    agent: str
    hardware: dict[str, Any]
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who has claimed a worker, and when."""

    account: AccountId
    name: str
    claimed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedWorker:
    """A worker of an account; `last_seen` is when it last said hello, None when that was never written."""

    worker: WorkerId
    name: str
    claimed_at: datetime
    last_seen: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    key: WorkerId
    public_key: bytes
    name: str
    agent: str
    hardware: str


class Workers:
    """One row a worker, written at each hello; those of many that come at once are written together."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = queries.load("workers")
        self._group: Group[_Seen] = Group(self._write, wait_s=database.wait_s)

    async def seen(self, *, worker: WorkerId, public_key: bytes, name: str, hardware: Hardware, agent: str = "") -> None:
        """The worker is here. Raises: PermissionDenied when the id belongs to another key, DatabaseAway."""
        told = json.dumps(_plain(hardware))
        await self._group.put(_Seen(key=worker, public_key=public_key, name=name, agent=agent, hardware=told))

    async def _write(self, items: Sequence[_Seen], wait_s: float) -> list[Exception | None]:
        columns = zip(*((one.key, one.public_key, one.name, one.agent, one.hardware) for one in items), strict=True)
        rows = await self._database.statement(self._sql["upsert_workers"], *map(list, columns), wait_s=wait_s)
        written = {row["id"] for row in rows}
        return [None if one.key in written else _other_key(one.key) for one in items]

    async def list(self) -> tuple[WorkerRecord, ...]:
        """All workers, the first seen first."""
        rows = await self._database.transaction(lambda connection: connection.fetch(self._sql["list_workers"]))
        return tuple(_record(dict(row)) for row in rows)

    # ---- whose they are ----------------------------------------------------------------------------------------------

    async def own(self, worker: WorkerId, account: AccountId) -> Owner:
        """Make it the account's, unless somebody has it; who has it then. Raises: DatabaseAway."""

        async def work(connection: Connection) -> Owner:
            await connection.execute(self._sql["own_worker"], worker, account)
            return _owner(await connection.fetchrow(self._sql["find_owner"], worker))

        return await self._database.transaction(work)

    async def owner(self, worker: WorkerId) -> Owner | None:
        """Whose it is. Raises: DatabaseAway."""
        row = await self._database.transaction(lambda connection: connection.fetchrow(self._sql["find_owner"], worker))
        return None if row is None else _owner(row)

    async def owned(self, account: AccountId) -> tuple[OwnedWorker, ...]:
        """The account's workers, the first claimed first. Raises: DatabaseAway."""
        rows = await self._database.transaction(lambda connection: connection.fetch(self._sql["list_owned"], account))
        return tuple(OwnedWorker(**dict(row)) for row in rows)

    async def disown(self, worker: WorkerId, account: AccountId) -> bool:
        """It is nobody's again; False when it was not the account's. Raises: DatabaseAway."""
        row = await self._database.transaction(
            lambda connection: connection.fetchrow(self._sql["disown_worker"], worker, account)
        )
        return row is not None


def _owner(row: Any) -> Owner:
    return Owner(account=AccountId(row["account"]), name=row["name"], claimed_at=row["claimed_at"])


def _other_key(worker: WorkerId) -> PermissionDenied:
    return PermissionDenied(f"worker {worker} is known by another key", hint="give the worker a new identity")


def _plain(part: Hardware | Gpu) -> dict[str, Any]:
    values = {name: getattr(part, name) for name in part.__struct_fields__}
    return values | {"gpus": [_plain(gpu) for gpu in part.gpus]} if isinstance(part, Hardware) else values


def _record(row: dict[str, Any]) -> WorkerRecord:
    hardware = json.loads(row.pop("hardware"))
    return WorkerRecord(worker=WorkerId(row.pop("id")), hardware=hardware, **row)
