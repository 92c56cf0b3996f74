"""Several courses read as one: each event with the number of its choice."""

import asyncio
from collections.abc import Sequence

from pool.dispatch.course import Course
from pool.dispatch.events import AnswerEvent

Numbered = tuple[int, Sequence[AnswerEvent] | Exception]
AHEAD = 64  # how far one stream may run ahead of the reader, in turns


class Merged:
    """Tells (number, events) or (number, error); no events for a stream that is over. One stream needs no task."""

    def __init__(self, streams: Sequence[Course]) -> None:
        self._single = streams[0] if len(streams) == 1 else None
        self._queue: asyncio.Queue[Numbered] = asyncio.Queue(AHEAD * len(streams))
        self._pumps: list[asyncio.Task[None]] = []
        if self._single is None:
            self._pumps = [asyncio.create_task(self._pump(n, stream)) for n, stream in enumerate(streams)]

    async def next(self) -> Numbered:
        """The next events, in the order they come."""
        if self._single is None:
            return await self._queue.get()
        try:
            return 0, await self._single.some()
        except Exception as error:  # noqa: BLE001 - told to the reader, who raises it
            return 0, error

    async def _pump(self, number: int, stream: Course) -> None:
        try:
            while told := await stream.some():
                await self._queue.put((number, told))
        except Exception as error:  # noqa: BLE001 - told to the reader, who raises it
            await self._queue.put((number, error))
        else:
            await self._queue.put((number, ()))

    def close(self) -> None:
        """Stop reading. May be called again."""
        for pump in self._pumps:
            pump.cancel()
