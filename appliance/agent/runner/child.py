"""One engine process and the socket to it."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import AsyncIterator

import msgspec

from appliance.agent.engine.protocol import Deframer, FrameTooLarge, FromEngine, Load, ToEngine, decode_from_engine, encode
from iamine.child import dies_with_parent

MODULE = "appliance.agent.engine"
RECEIVE_BYTES = 256 * 1024
MAX_ERROR_LINES = 20
MAX_LINE_BYTES = 16 * 1024
EXIT_PATIENCE_S = 0.3


class Child:
    """A running engine. Make it by `start`; `frames` ends when it is gone, whatever the reason."""

    frames: AsyncIterator[FromEngine]

    def __init__(self, process: Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self.frames = self._frames()
        self._errors: deque[str] = deque(maxlen=MAX_ERROR_LINES)
        self._listening = asyncio.create_task(self._listen(), name="engine stderr")

    @classmethod
    async def start(cls, load: Load) -> "Child":
        """Spawns an engine and hands it what to load. Call it from the main thread.

        The kernel kills the engine when the agent dies. It ignores Ctrl-C and lives in a session of its own, so that a
        signal to the terminal's group does not end it before the agent.
        """
        ours, theirs = socket.socketpair()
        command = [*dies_with_parent(signal.SIGKILL), sys.executable, "-m", MODULE, "--fd", str(theirs.fileno())]
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stderr=PIPE,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                limit=MAX_LINE_BYTES,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        child = cls(process, reader, writer)
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

    async def end(self, patience_s: float = EXIT_PATIENCE_S) -> int:
        """Closes the socket, which ends the engine; kills its whole session if it has not gone then. The exit status."""
        self._writer.close()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._process.wait(), patience_s)
        self.kill()
        status = await self._process.wait()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._listening, patience_s)
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
        return status

    def kill(self) -> None:
        """Kills the engine and the processes it made."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def last_words(self) -> str:
        """The end of what it wrote to stderr, in one line; never a prompt."""
        return " | ".join(self._errors)[-600:]

    async def _listen(self) -> None:
        stream = self._process.stderr
        assert stream is not None, "made with a pipe"
        while True:
            try:
                line = await stream.readline()
            except ValueError:  # a line over the limit: asyncio has dropped it
                continue
            if not line:
                return
            self._errors.append(line.decode("utf-8", "replace").strip())
