"""The workers that were ever here: their keys, names and machines."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from iamine.ids import WorkerId
from iamine.wire.messages import Gpu, Hardware
from pool.errors import PermissionDenied
from pool.store import queries
from pool.store.database import Database


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


class Workers:
    """One row a worker, written at each hello."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = queries.load("workers")

    async def seen(self, *, worker: WorkerId, public_key: bytes, name: str, hardware: Hardware, agent: str = "") -> None:
        """The worker is here. Raises: PermissionDenied when the id belongs to another key, DatabaseAway."""
        values = (worker, public_key, name, agent, json.dumps(_plain(hardware)))
        row = await self._database.transaction(lambda connection: connection.fetchrow(self._sql["upsert_worker"], *values))
        if row is None:
            raise PermissionDenied(f"worker {worker} is known by another key", hint="give the worker a new identity")

    async def list(self) -> tuple[WorkerRecord, ...]:
        """All workers, the first seen first."""
        rows = await self._database.transaction(lambda connection: connection.fetch(self._sql["list_workers"]))
        return tuple(_record(dict(row)) for row in rows)


def _plain(part: Hardware | Gpu) -> dict[str, Any]:
    values = {name: getattr(part, name) for name in part.__struct_fields__}
    return values | {"gpus": [_plain(gpu) for gpu in part.gpus]} if isinstance(part, Hardware) else values


def _record(row: dict[str, Any]) -> WorkerRecord:
    hardware = json.loads(row.pop("hardware"))
    return WorkerRecord(worker=WorkerId(row.pop("id")), hardware=hardware, **row)
