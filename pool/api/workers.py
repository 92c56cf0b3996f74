"""The workers' door: one WebSocket each, frames passed to the hub as they come."""

import asyncio
import contextlib
import logging
from collections import deque

from sanic import Blueprint, Request, Websocket
from sanic.exceptions import WebsocketClosed

from iamine.wire.messages import MAX_FRAME_BYTES
from pool.hub import Hub

log = logging.getLogger("pool.api.workers")

PATH = "/v1/workers/connect"
MAX_UNSENT_BYTES = 4 * MAX_FRAME_BYTES  # a worker that reads nothing is cut before it costs more memory than this
FAREWELL_S = 2.0  # for the last frames and the closing handshake


class WorkerSocket:
    """Frames to one worker, written by one task in the order in which the hub sent them."""

    def __init__(self, ws: Websocket) -> None:
        self._ws = ws
        self._unsent: deque[bytes] = deque()
        self._unsent_bytes = 0
        self._changed = asyncio.Event()
        self._closing = False

    def send(self, frame: bytes) -> None:
        """Queue a frame; a worker that lets too much pile up loses its connection."""
        if self._closing:
            return
        self._unsent.append(frame)
        self._unsent_bytes += len(frame)
        if self._unsent_bytes > MAX_UNSENT_BYTES:
            self._unsent.clear()
            self._closing = True
        self._changed.set()

    def close(self) -> None:
        """Close once everything is written."""
        self._closing = True
        self._changed.set()

    async def write(self) -> None:
        """Write until closed; then close the connection itself."""
        while not (self._closing and not self._unsent):
            while self._unsent:
                frame = self._unsent.popleft()
                self._unsent_bytes -= len(frame)
                await self._ws.send(frame)
            if not self._closing:
                self._changed.clear()
                await self._changed.wait()
        await self._ws.close()


def workers(hub: Hub) -> Blueprint:
    """The route that workers connect to."""
    blueprint = Blueprint("workers")

    @blueprint.websocket(PATH)
    async def connect(_request: Request, ws: Websocket) -> None:
        socket = WorkerSocket(ws)
        link = hub.connect(socket)
        writer = asyncio.create_task(_write(socket))
        try:
            while not link.ended:
                frame = await ws.recv()
                if frame is None:
                    break
                hub.receive(link, frame)
        except WebsocketClosed:
            pass
        finally:
            hub.disconnected(link)
            socket.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(writer, FAREWELL_S)

    return blueprint


async def _write(socket: WorkerSocket) -> None:
    with contextlib.suppress(WebsocketClosed):
        await socket.write()
