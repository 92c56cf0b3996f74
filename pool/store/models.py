"""The models that workers offered lately: after a restart the pool knows them before the first worker is back."""

import time
from collections.abc import Sequence
from datetime import timedelta

from iamine.ids import ModelId
from pool.routing.types import ModelCard
from pool.store import queries
from pool.store.database import Database

RECENT = timedelta(hours=24)
AGAIN_S = 60.0  # how long what was written need not be written again: a thousand workers come with the same models


class Models:
    """One row a model name, written when a worker offers it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = queries.load("models")
        self._written: list[tuple[object, ...]] = []
        self._written_at_s = -AGAIN_S

    async def seen(self, cards: Sequence[ModelCard]) -> None:
        """These are offered now. Raises: DatabaseAway."""
        rows: list[tuple[object, ...]] = [
            (
                card.model,
                card.kind,
                card.context_tokens,
                card.vocabulary_tokens,
                card.tool_format,
                card.reasoning_format,
                list(card.file_sha256),
            )
            for card in cards
        ]
        now_s = time.monotonic()
        if rows == self._written and now_s - self._written_at_s < AGAIN_S:
            return
        self._written, self._written_at_s = rows, now_s
        try:
            await self._database.transaction(lambda connection: connection.executemany(self._sql["upsert_model"], rows))
        except BaseException:
            self._written = []
            raise

    async def recent(self) -> tuple[ModelCard, ...]:
        """Those offered within RECENT, with no worker yet. Raises: DatabaseAway."""
        rows = await self._database.transaction(lambda connection: connection.fetch(self._sql["recent_models"], RECENT))
        return tuple(
            ModelCard(
                model=ModelId(row["id"]),
                kind=row["kind"],
                context_tokens=row["context_tokens"],
                vocabulary_tokens=row["vocabulary_tokens"],
                tool_format=row["tool_format"],
                reasoning_format=row["reasoning_format"],
                workers=0,
                created=row["created"],
                file_sha256=tuple(row["file_sha256"]),
            )
            for row in rows
        )
