"""The owner's way to a running agent: one JSON line each way over a socket in its data folder that only its owner can open."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from appliance.agent.errors import AgentError
from appliance.agent.view import View

SOCKET_NAME = "worker.sock"
SOCKET_MODE = 0o600
LONGEST_PATH_BYTES = 100  # a socket's address holds 104 (macOS) or 108 (Linux) bytes
MAX_LINE_BYTES = 4096
MAX_ANSWER_BYTES = 256 << 10  # a view with as many slots and lines as there can be
ASK_S = 5.0  # to say what is wanted, once connected
ANSWER_S = 15.0


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What the owner wants; `for_s` (seconds) is how long a pause lasts, None: until `resume`."""

    ask: Literal["pause", "resume", "status"]
    for_s: float | None = None


class State(msgspec.Struct, frozen=True, kw_only=True):
    """How the agent is after that. `freed_s`: how long it took to free the machine; `moved`: answers that went elsewhere.

    `view` is what its screen shows; told to `status` only.
    """

    state: Literal["working", "loading", "resting"]
    reason: str = ""
    until_s: float | None = None
    freed_s: float | None = None
    moved: int = 0
    pid: int = 0
    view: View | None = None


class AgentSilent(AgentError):
    """An agent is there, but does not answer as it should."""


@contextlib.asynccontextmanager
async def listen(folder: Path, answer: Callable[[Ask], Awaitable[State]], say: Callable[[str], None]) -> AsyncIterator[None]:
    """Answer the owner while the block runs; where no socket can be made it says so and goes on without.

    Nobody else may use the folder (`sole_worker`): a socket that a killed agent left behind is replaced.
    """
    try:
        server = await asyncio.start_unix_server(
            lambda reader, writer: _converse(reader, writer, answer), sock=_bound(folder), limit=MAX_LINE_BYTES
        )
    except OSError as error:
        say(f"`iamine pause` cannot reach this worker: no socket in {folder} ({error})")
        yield
        return
    try:
        yield
    finally:
        server.close()
        with contextlib.suppress(OSError):
            (folder / SOCKET_NAME).unlink()


def ask(folder: Path, wanted: Ask, *, patience_s: float = ANSWER_S) -> State | None:
    """What the agent in this folder answers; None when none runs there. Raises AgentSilent."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(patience_s)
        try:
            with _address(folder) as address:
                connection.connect(address)
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except PermissionError as error:
            raise AgentSilent(f"the worker in {folder} is another user's", hint="ask as the user who started it") from error
        except OSError as error:
            raise AgentSilent(f"cannot reach the worker in {folder}: {error}", hint="stop it with Ctrl-C or SIGTERM") from error
        try:
            connection.sendall(msgspec.json.encode(wanted) + b"\n")
            said = connection.makefile("rb").readline(MAX_ANSWER_BYTES)
            return msgspec.json.decode(said, type=State)
        except (OSError, msgspec.DecodeError) as error:
            hint = "look at its screen or log; SIGTERM stops it and frees the machine"
            raise AgentSilent(f"the worker in {folder} does not answer: {error}", hint=hint) from error


def folders(data_dir: Path) -> list[Path]:
    """Where agents of this data folder may run: the folder itself, and those of `iamine up`'s workers."""
    places = [data_dir, *sorted((data_dir / "workers").glob("*"))]
    return [place for place in places if (place / SOCKET_NAME).exists()]


async def _converse(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Callable[[Ask], Awaitable[State]]
) -> None:
    """One question, one answer; what is no question is not answered."""
    with contextlib.suppress(OSError, ValueError, msgspec.DecodeError, asyncio.TimeoutError):
        wanted = msgspec.json.decode(await asyncio.wait_for(reader.readline(), ASK_S), type=Ask)
        writer.write(msgspec.json.encode(await answer(wanted)) + b"\n")
        await asyncio.wait_for(writer.drain(), ASK_S)
    writer.close()


def _bound(folder: Path) -> socket.socket:
    """A socket at its place, for its owner only, before anybody can connect to it. Raises OSError."""
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        (folder / SOCKET_NAME).unlink(missing_ok=True)
        with _address(folder) as address:
            bound.bind(address)
        (folder / SOCKET_NAME).chmod(SOCKET_MODE)
    except OSError:
        bound.close()
        raise
    return bound


@contextlib.contextmanager
def _address(folder: Path) -> Iterator[str]:
    """The socket's path; where it is longer than an address may be, a short one by way of Linux' /proc."""
    path = str((folder / SOCKET_NAME).absolute())
    if len(os.fsencode(path)) <= LONGEST_PATH_BYTES or not Path("/proc/self/fd").is_dir():
        yield path
        return
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{opened}/{SOCKET_NAME}"
    finally:
        os.close(opened)
