"""The workers that were ever here: their keys, names and machines."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from iamine.ids import WorkerId
from iamine.wire.messages import Gpu, Hardware
from pool.errors import PermissionDenied
from pool.store import queries
from pool.store.database import Database
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
        await self._group.add(_Seen(key=worker, public_key=public_key, name=name, agent=agent, hardware=told))

    async def _write(self, items: Sequence[_Seen], wait_s: float) -> list[Exception | None]:
        columns = zip(*((one.key, one.public_key, one.name, one.agent, one.hardware) for one in items), strict=True)
        rows = await self._database.statement(self._sql["upsert_workers"], *map(list, columns), wait_s=wait_s)
        written = {row["id"] for row in rows}
        return [None if one.key in written else _other_key(one.key) for one in items]

    async def list(self) -> tuple[WorkerRecord, ...]:
        """All workers, the first seen first."""
        rows = await self._database.transaction(lambda connection: connection.fetch(self._sql["list_workers"]))
        return tuple(_record(dict(row)) for row in rows)


def _other_key(worker: WorkerId) -> PermissionDenied:
    return PermissionDenied(f"worker {worker} is known by another key", hint="give the worker a new identity")


def _plain(part: Hardware | Gpu) -> dict[str, Any]:
    values = {name: getattr(part, name) for name in part.__struct_fields__}
    return values | {"gpus": [_plain(gpu) for gpu in part.gpus]} if isinstance(part, Hardware) else values


def _record(row: dict[str, Any]) -> WorkerRecord:
    hardware = json.loads(row.pop("hardware"))
    return WorkerRecord(worker=WorkerId(row.pop("id")), hardware=hardware, **row)
