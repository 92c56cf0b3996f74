"""Where an engine process comes from: a child of the agent, or the engine host of another unit."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from asyncio.subprocess import Process as OwnProcess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from appliance.agent.engine.host import CREDENTIALS, HELLO, KILL
from appliance.agent.errors import EngineAway
from iamine.child import dies_with_parent

MODULE = "appliance.agent.engine"
HOST_S = 10.0  # to connect and to be told the engine's number
MAX_LINE_BYTES = 256


class Process(Protocol):
    """A running engine process, wherever it lives."""

    @property
    def pid(self) -> int:
        """Its number."""

    async def wait(self) -> int | None:
        """Its exit status, negative for a signal; None when nobody can tell it."""

    def kill(self) -> None:
        """Kill it and the processes that it made."""

    def close(self) -> None:
        """It has ended, or nobody waits for it any more."""


Launch = Callable[[socket.socket, int], Awaitable[Process]]  # the engine's end of a socket pair, and where its stderr goes


class _Spawned:
    """A child of this process."""

    def __init__(self, process: OwnProcess) -> None:
        self._process = process
        self.pid = process.pid

    async def wait(self) -> int | None:
        return await self._process.wait()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def close(self) -> None:
        pass


async def spawn(engine: socket.socket, stderr: int) -> Process:
    """A child. Call it from the main thread.

    The kernel kills the engine when the agent dies. It ignores Ctrl-C and lives in a session of its own, so that a
    signal to the terminal's group does not end it before the agent.
    """
    command = [*dies_with_parent(signal.SIGKILL), sys.executable, "-m", MODULE, "--fd", str(engine.fileno())]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stderr=stderr, pass_fds=[engine.fileno()], start_new_session=True
    )
    return _Spawned(process)


class _Hosted:
    """A process that the engine host keeps for this connection."""

    def __init__(self, pid: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.pid = pid
        self._writer = writer
        self._ended = asyncio.create_task(_number(reader, b"exit"), name="engine's end")

    async def wait(self) -> int | None:
        return await asyncio.shield(self._ended)

    def kill(self) -> None:
        if not self._ended.done():
            self._writer.write(KILL)

    def close(self) -> None:
        self._ended.cancel()
        self._writer.close()


def hosted(path: Path) -> Launch:
    """Engines of the host that listens at `path`. Launching raises EngineAway when it does not answer."""

    async def launch(engine: socket.socket, stderr: int) -> Process:
        try:
            return await asyncio.wait_for(_ask(path, engine, stderr), HOST_S)
        except (OSError, asyncio.TimeoutError) as error:
            why = "does not answer" if isinstance(error, asyncio.TimeoutError) else str(error.strerror or error)
            hint = "systemctl start iamine-engine.socket; journalctl -u iamine-engine tells what is wrong"
            raise EngineAway(f"the engine host at {path}: {why}", hint=hint) from error

    return launch


async def _ask(path: Path, engine: socket.socket, stderr: int) -> Process:
    link = socket.socket(socket.AF_UNIX)
    try:
        link.setblocking(False)
        await asyncio.get_running_loop().sock_connect(link, str(path))
        _check_peer(link)
        socket.send_fds(link, [HELLO], [engine.fileno(), stderr], socket.MSG_NOSIGNAL)
        reader, writer = await asyncio.open_unix_connection(sock=link, limit=MAX_LINE_BYTES)
    except BaseException:
        link.close()
        raise
    pid = await _number(reader, b"pid")
    if pid is None:
        writer.close()
        raise ConnectionRefusedError(0, "it starts no engine for this user")
    return _Hosted(pid, reader, writer)


def _check_peer(link: socket.socket) -> None:
    """Whoever listens is root's systemd or this user; nobody else is given a prompt. Raises PermissionError."""
    user = CREDENTIALS.unpack(link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size))[1]
    if user not in (0, os.getuid()):
        raise PermissionError(0, f"belongs to user {user}, who may not read prompts")


async def _number(reader: asyncio.StreamReader, word: bytes) -> int | None:
    """The number behind the word in the next line; None when the host says something else or is gone."""
    with contextlib.suppress(OSError, ValueError):
        said = (await reader.readline()).split()
        if len(said) == 2 and said[0] == word:
            return int(said[1])
    return None
