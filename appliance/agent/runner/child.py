"""One engine process and the socket to it."""

import asyncio
import contextlib
import os
import socket
from collections import deque
from collections.abc import AsyncIterator

import msgspec

from appliance.agent.engine.protocol import Deframer, FrameTooLarge, FromEngine, Load, ToEngine, decode_from_engine, encode
from appliance.agent.runner.process import Launch, Process, spawn

RECEIVE_BYTES = 256 * 1024
MAX_ERROR_LINES = 20
MAX_LINE_BYTES = 16 * 1024
EXIT_PATIENCE_S = 0.3
KILLED_S = 5.0  # a killed process that is held in the kernel by a driver, or whose host hangs, is left alone


class Child:
    """A running engine. Make it by `start`; `frames` ends when it is gone, whatever the reason."""

    frames: AsyncIterator[FromEngine]

    def __init__(self, process: Process, link: tuple[asyncio.StreamReader, asyncio.StreamWriter], stderr: int) -> None:
        self._process = process
        self._reader, self._writer = link
        self.frames = self._frames()
        self._errors: deque[str] = deque(maxlen=MAX_ERROR_LINES)
        self._listening = asyncio.create_task(self._listen(stderr), name="engine stderr")

    @classmethod
    async def start(cls, load: Load, launch: Launch = spawn) -> "Child":
        """Launches an engine and hands it what to load. Raises EngineAway when the engine host does not answer."""
        ours, theirs = socket.socketpair()
        hear, write = os.pipe()
        try:
            process = await launch(theirs, write)
        except BaseException:
            ours.close()
            os.close(hear)
            raise
        finally:
            theirs.close()
            os.close(write)
        child = cls(process, await asyncio.open_unix_connection(sock=ours), hear)
        child.send(load)
        return child

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, frame: ToEngine) -> None:
        """Hands over a frame; one to an engine that is gone is lost. Raises FrameTooLarge."""
        data = encode(frame)
        if not self._writer.is_closing():
            self._writer.write(data)

    async def _frames(self) -> AsyncIterator[FromEngine]:
        """What the engine says, until it is gone or talks nonsense."""
        deframer = Deframer()
        with contextlib.suppress(ConnectionError, FrameTooLarge, msgspec.DecodeError):
            while received := await self._reader.read(RECEIVE_BYTES):
                for body in deframer.feed(received):
                    yield decode_from_engine(body)

    async def end(self, patience_s: float = EXIT_PATIENCE_S) -> int | None:
        """Closes the socket, which ends the engine; kills its whole session if it has not gone then.

        The exit status; None when nobody can tell it, as when the engine host died.
        """
        self._writer.close()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._process.wait(), patience_s)
        self.kill()
        status = None
        with contextlib.suppress(asyncio.TimeoutError):
            status = await asyncio.wait_for(self._process.wait(), KILLED_S)
        self._process.close()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._listening, patience_s)
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
        return status

    def kill(self) -> None:
        """Kills the engine and the processes it made."""
        self._process.kill()

    def last_words(self) -> str:
        """The end of what it wrote to stderr, in one line; never a prompt."""
        return " | ".join(self._errors)[-600:]

    async def _listen(self, stderr: int) -> None:
        stream = asyncio.StreamReader(limit=MAX_LINE_BYTES)
        pipe = os.fdopen(stderr, "rb", buffering=0)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), pipe)
        try:
            while True:
                try:
                    line = await stream.readline()
                except ValueError:  # a line over the limit: asyncio has dropped it
                    continue
                if not line:
                    return
                self._errors.append(line.decode("utf-8", "replace").strip())
        finally:
            transport.close()
