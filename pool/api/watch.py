"""Clients that are gone, or read nothing: found by looking at every open request ten times a second.

A lost connection cancels the handler by itself (Sanic's connection_lost). This looks after what that misses: a closing
socket with unsent bytes, a peer that floods its connection so that reading is paused, and one that reads nothing.
"""

import asyncio
from dataclasses import dataclass
from typing import Protocol


class Transport(Protocol):
    """The part of asyncio's and uvloop's transports that is looked at."""

    def is_closing(self) -> bool: ...
    def is_reading(self) -> bool: ...
    def get_write_buffer_size(self) -> int: ...
    def abort(self) -> None: ...


@dataclass(slots=True)
class Watched:
    """A transport, and since when its unsent bytes have not become fewer or more."""

    transport: Transport
    unsent_bytes: int
    since_s: float

    def lost(self, now_s: float, stalled_s: float) -> bool:
        """Whether nobody listens there any more."""
        if self.transport.is_closing() or not self.transport.is_reading():
            return True
        unsent = self.transport.get_write_buffer_size()
        if unsent != self.unsent_bytes or unsent == 0:
            self.unsent_bytes, self.since_s = unsent, now_s
        return now_s - self.since_s >= stalled_s


class Watch:
    """Aborts the connections of clients that are lost; Sanic then cancels their handlers."""

    def __init__(self, *, every_s: float, stalled_s: float) -> None:
        self._every_s = every_s
        self._stalled_s = stalled_s
        self._open: dict[int, Watched] = {}
        self._task: asyncio.Task[None] | None = None
        self.cut = 0

    def begin(self, transport: Transport) -> None:
        """Watch the transport while the request is answered; its body must have been read."""
        self._open[id(transport)] = Watched(transport, 0, asyncio.get_running_loop().time())
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def end(self, transport: Transport) -> None:
        """The request is answered."""
        self._open.pop(id(transport), None)

    async def _run(self) -> None:
        """While requests are open, and no longer: nothing is left to stop at the pool's end."""
        while self._open:
            await asyncio.sleep(self._every_s)
            self.look(asyncio.get_running_loop().time())

    def look(self, now_s: float) -> None:
        """Cut those that are lost by now."""
        for key, watched in list(self._open.items()):
            if watched.lost(now_s, self._stalled_s):
                del self._open[key]
                self.cut += 1
                watched.transport.abort()
