"""A TCP proxy that breaks connections on purpose: it holds back one direction or both, delays, and resets."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

CHUNK_BYTES = 64 * 1024
UP, DOWN = "up", "down"  # up: from the agent to the pool


@dataclass(eq=False)
class Direction:
    """One way of one connection: what is read waits here while it is held."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    flows: asyncio.Event
    delay_s: Callable[[], float]

    async def pump(self) -> None:
        """As a router that buffers: nothing is lost, it only comes late, even after the other end has closed."""
        with contextlib.suppress(OSError):
            while data := await self.reader.read(CHUNK_BYTES):
                await asyncio.sleep(self.delay_s())
                await self.flows.wait()
                self.writer.write(data)
                await self.writer.drain()
        await self.flows.wait()
        with contextlib.suppress(OSError):
            self.writer.write_eof()


@dataclass(eq=False)
class FaultProxy:
    """Listens on a port of its own and passes everything on to `target_port`, as long as nothing else is asked for.

    It runs in a thread with an event loop of its own; the methods may be called from any thread.
    """

    target_port: int
    port: int = 0
    connections: int = 0
    delay_s: float = 0.0
    _held: dict[str, bool] = field(default_factory=lambda: {UP: False, DOWN: False})
    _live: dict[asyncio.StreamWriter, dict[str, Direction]] = field(default_factory=dict)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _thread: threading.Thread | None = None

    def __enter__(self) -> "FaultProxy":
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        if self._thread is not None:
            self._thread.join()
        self._loop.close()

    def hold(self, *ways: str) -> None:
        """Nothing gets through these ways of the connections that live now; those that come later are not touched."""
        self._loop.call_soon_threadsafe(self._set, ways, False)

    def let_go(self, *ways: str) -> None:
        """Everything that was held back comes through, and what follows."""
        self._loop.call_soon_threadsafe(self._set, ways, True)

    def reset(self) -> None:
        """Every connection ends by a TCP reset, at both ends."""
        self._loop.call_soon_threadsafe(self._reset)

    def _set(self, ways: tuple[str, ...], flows: bool) -> None:
        for directions in self._live.values():
            for way in ways:
                (directions[way].flows.set if flows else directions[way].flows.clear)()

    def _reset(self) -> None:
        for directions in self._live.values():
            for direction in directions.values():
                raw = direction.writer.transport.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                direction.writer.transport.abort()
                direction.flows.set()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            writer.close()
            return
        directions = {
            UP: Direction(reader, back, asyncio.Event(), lambda: self.delay_s),
            DOWN: Direction(there, writer, asyncio.Event(), lambda: self.delay_s),
        }
        for direction in directions.values():
            direction.flows.set()
        self._live[writer] = directions
        try:
            await asyncio.gather(*[direction.pump() for direction in directions.values()])
        finally:
            del self._live[writer]
            for closing in (back, writer):
                closing.close()

    async def _close(self) -> None:
        self._server.close()
        self._set((UP, DOWN), True)
        self._reset()
        await asyncio.sleep(0)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
