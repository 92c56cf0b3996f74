"""A worker's connection: WebSocket without Sanic's receive path, each frame passed to the hub by the call that brought it.

The package `websockets` parses and writes frames without any I/O of its own (ADR 0023).
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from iamine.wire.messages import MAX_FRAME_BYTES
from pool.api.frames import framed, whole_messages
from pool.api.lobby import Lobby
from pool.hub import Hub
from pool.hub.link import Link

log = logging.getLogger("pool.api.workers")

PATH = "/v1/workers/connect"
MAX_UNSENT_BYTES = 4 * MAX_FRAME_BYTES  # a worker that reads nothing is cut before it costs more memory than this
HANDSHAKE_S = 10.0
FAREWELL_S = 2.0  # for the last frames and the closing handshake


class Transport(Protocol):
    """The part of asyncio's and uvloop's transports that is used."""

    def write(self, data: bytes, /) -> None: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...
    def is_closing(self) -> bool: ...
    def get_write_buffer_size(self) -> int: ...


class WorkerConnection(asyncio.Protocol):
    """One connection from its handshake on; to the hub it is the socket. `on_end` is called once, when it is over."""

    def __init__(self, transport: Transport, hub: Hub, lobby: Lobby, on_end: Callable[["WorkerConnection"], None]) -> None:
        self._transport = transport
        self._hub = hub
        self._lobby = lobby
        self._inside = False  # it is welcomed, and nothing of it waits in the lobby
        self._waiting = 0
        self._on_end = on_end
        self._websocket = ServerProtocol(max_size=MAX_FRAME_BYTES, logger=log)
        self._link: Link | None = None
        self._fragments = bytearray()
        self._unsent: list[bytes] = []
        self._cut = asyncio.get_running_loop().call_later(HANDSHAKE_S, self.abort)

    # ---- the transport's calls ------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Whole messages go to the hub, in order; those of newcomers when it is their turn."""
        if self._inside:
            self._receive(data)
        else:
            self._queue(lambda: self._receive(data))

    def _queue(self, work: Callable[[], None]) -> None:
        self._waiting += 1
        self._lobby.add(lambda: self._turn(work))

    def _turn(self, work: Callable[[], None]) -> None:
        self._waiting -= 1
        if not self._transport.is_closing():
            work()
        self._inside = self._waiting == 0 and self._link is not None and self._link.worker is not None

    def _receive(self, data: bytes) -> None:
        if self._at_frame():
            messages, rest = whole_messages(data, MAX_FRAME_BYTES)
            for message in messages:
                self._on_message(message)
            data = data[rest:]
            if not data:
                return
        self._websocket.receive_data(data)
        for event in self._websocket.events_received():
            if isinstance(event, Frame):
                self._on_frame(event)
            elif isinstance(event, Request):
                self._on_request(event)
        self._flush()

    def eof_received(self) -> None:
        """The worker says no more."""
        if self._inside:
            self._receive_eof()
        else:
            self._queue(self._receive_eof)

    def _receive_eof(self) -> None:
        self._websocket.receive_eof()
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._cut.cancel()
        if self._link is not None:  # at once: no job may be sent to who is gone
            self._hub.disconnected(self._link)
        self._on_end(self)

    # ---- the hub's calls ------------------------------------------------------------------------------------------------

    def send(self, frame: bytes) -> None:
        """Write a frame; a worker that lets too much pile up loses its connection."""
        if self._websocket.state is not State.OPEN:
            return
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._write)
        self._unsent.append(framed(frame))  # as `websockets` would, ten calls shorter

    def _write(self) -> None:
        """What was said in this turn of the loop, in one piece: a write to a socket costs as much as a job's whole decision."""
        unsent, self._unsent = self._unsent, []
        if not unsent or self._transport.is_closing():
            return
        self._transport.write(b"".join(unsent))
        if self._transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            self.abort()

    def close(self) -> None:
        """Close once everything is written."""
        self._farewell(CloseCode.NORMAL_CLOSURE)

    # ---- the listener's calls -------------------------------------------------------------------------------------------

    def close_if_idle(self) -> None:
        """The pool stops."""
        self._farewell(CloseCode.GOING_AWAY)

    def abort(self) -> None:
        """Cut it: what is not written yet is lost."""
        self._transport.abort()

    # ---- inside -----------------------------------------------------------------------------------------------------------

    def _at_frame(self) -> bool:
        """Whether the next byte begins a message: nothing that `websockets` has taken is unfinished."""
        websocket = self._websocket
        return websocket.state is State.OPEN and not websocket.reader.buffer and not websocket.expect_continuation_frame

    def _on_request(self, request: Request) -> None:
        """The handshake; whoever does not speak WebSocket is told so in HTTP."""
        if self._websocket.eof_sent:  # what came right behind the request was no frame, and has ended it all
            self._transport.close()
            return
        response = self._websocket.accept(request)
        self._websocket.send_response(response)
        if self._websocket.state is State.OPEN:
            self._cut.cancel()
            self._flush()
            self._link = self._hub.connect(self)

    def _on_frame(self, frame: Frame) -> None:
        """A message, or a piece of one; `websockets` has checked their order and bounded their sum."""
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return
        if frame.fin and not self._fragments:
            self._on_message(bytes(frame.data))
            return
        self._fragments += frame.data
        if frame.fin:
            message, self._fragments = bytes(self._fragments), bytearray()
            self._on_message(message)

    def _on_message(self, message: bytes) -> None:
        if self._link is not None and not self._link.ended:
            self._hub.receive(self._link, message)

    def _farewell(self, code: CloseCode) -> None:
        """Begin the closing handshake; what is not over by itself in a while is cut."""
        if self._websocket.state is State.OPEN:
            self._websocket.send_close(code)
            self._flush()
            self._cut = asyncio.get_running_loop().call_later(FAREWELL_S, self.abort)

    def _flush(self) -> None:
        if self._unsent:
            self._write()
        for data in self._websocket.data_to_send():
            if data:
                self._transport.write(data)
            else:
                self._transport.close()
