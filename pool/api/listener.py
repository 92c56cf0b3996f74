"""The socket that the pool listens on, from its opening to the last connection's end."""

import asyncio
import socket
import time
from functools import partial
from typing import Any

from sanic.server.async_server import AsyncioServer

from pool.api.door import Door
from pool.api.lobby import Lobby
from pool.api.ports import App
from pool.hub import Hub

LOOK_AGAIN_S = 0.05


class Listener:
    """A Sanic app that serves on this event loop; the process's own signals and life stay with whoever opened it."""

    def __init__(self, server: Any) -> None:
        self._server = server

    @classmethod
    async def open(cls, app: App, hub: Hub, *, host: str, port: int, backlog: int) -> "Listener":
        """Listen from now on: clients are the app's, workers the hub's. Raises OSError when the address cannot be had."""
        door: Any = partial(Door, hub, Lobby())  # Sanic asks for a class, and calls it
        sock = _listening(host, port, backlog)  # ours: Sanic takes port 0 for 8000
        server: AsyncioServer | None = await app.create_server(sock=sock, backlog=backlog, access_log=False, protocol=door)
        if server is None:
            raise OSError(f"no listener on {host}:{port}")
        started: Any = server  # Sanic's own methods carry no types
        await started.startup()
        await started.before_start()
        await started.start_serving()
        await started.after_start()
        return cls(server)

    @property
    def port(self) -> int:
        """The port, also when the system chose it."""
        return int(self._server.server.sockets[0].getsockname()[1])

    @property
    def host(self) -> str:
        """The address it is bound to: 0.0.0.0 or :: is every one."""
        return str(self._server.server.sockets[0].getsockname()[0])

    async def close(self, grace_s: float) -> None:
        """No new connections; those that are open end with their answers or after the grace."""
        self._server.server.close()
        deadline = time.monotonic() + grace_s
        while self._server.connections and time.monotonic() < deadline:
            for connection in list(self._server.connections):
                connection.close_if_idle()
            await asyncio.sleep(LOOK_AGAIN_S)  # Sanic tells nobody when a connection ends
        for connection in list(self._server.connections):
            connection.abort()


def _listening(host: str, port: int, backlog: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=backlog)
