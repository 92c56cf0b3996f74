"""The door: a connection that asks for the workers' path speaks WebSocket with the hub, every other one HTTP with Sanic.

Decided once, by the first bytes; after that nothing of this stands between the socket and whoever took it.
"""

import asyncio
from typing import Any

from pool.api.http import QuickProtocol
from pool.api.lobby import Lobby
from pool.api.workers import PATH, WorkerConnection
from pool.hub import Hub

WORKER = f"GET {PATH}".encode()
SILENCE_S = 60.0  # a connection that says nothing for so long is closed


class Door(asyncio.Protocol):
    """Waits for the first bytes. `sanic` is what Sanic gives to a protocol of its own; `connections` are the open ones."""

    def __init__(self, hub: Hub, lobby: Lobby, *, connections: set[object], **sanic: Any) -> None:
        self._hub = hub
        self._lobby = lobby
        self._connections = connections
        self._sanic = sanic
        self._transport: Any = None
        self._first = b""
        self._waits = False
        self._silence = asyncio.get_running_loop().call_later(SILENCE_S, self.abort)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody is there."""
        self._transport = transport
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Decide, as soon as it can be."""
        self._first += data
        if len(self._first) <= len(WORKER) and WORKER.startswith(self._first):
            return
        if _asks_for_workers(self._first):
            self._silence.cancel()
            if not self._waits:
                self._waits = True
                self._lobby.add(self._let_in)
        else:
            self._leave()
            self._hand_over(self._http())

    def _let_in(self) -> None:
        """It is the worker's turn, unless it left meanwhile."""
        if not self._transport.is_closing():
            self._leave()
            self._hand_over(self._worker())

    def _hand_over(self, taker: asyncio.Protocol) -> None:
        self._transport.set_protocol(taker)
        taker.data_received(self._first)

    def connection_lost(self, exc: Exception | None) -> None:
        """They left without a word."""
        self._leave()

    def close_if_idle(self) -> None:
        """The pool stops."""
        self._transport.close()

    def abort(self) -> None:
        """Cut it."""
        self._transport.abort()

    def _leave(self) -> None:
        self._silence.cancel()
        self._connections.discard(self)

    def _worker(self) -> asyncio.Protocol:
        connection = WorkerConnection(self._transport, self._hub, self._lobby, self._connections.discard)
        self._connections.add(connection)
        return connection

    def _http(self) -> asyncio.Protocol:
        protocol: asyncio.Protocol = QuickProtocol(connections=self._connections, **self._sanic)
        protocol.connection_made(self._transport)
        return protocol


def _asks_for_workers(first: bytes) -> bool:
    """Whether the request line names the workers' path, with or without a query."""
    return first.startswith((WORKER + b" ", WORKER + b"?"))
