"""`python -m appliance.agent.engine.host`: starts an engine for each connection; the unit without network that engines live in.

One connection is one engine. The agent sends HELLO with two descriptors: the engine's end of a socket pair and where its
stderr goes. It hears `pid N`, later `exit STATUS` (negative: killed by that signal); KILL kills. When the agent closes, or
dies, or this process dies, the engine and all that it made are killed. Nothing of a job passes through here.
"""

import argparse
import array
import os
import pwd
import selectors
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from appliance.agent.notify import Notify, notify
from iamine.child import dies_with_parent

HELLO, KILL = b"iamine engine 1\n", b"k"
DESCRIPTORS = 2
MAX_ENGINES = 32
HELLO_S = 5.0  # a connection that has not said what it wants by then is closed
LISTEN_FD = 3  # SD_LISTEN_FDS_START, sd_listen_fds(3)
CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: unix(7), SO_PEERCRED
EXIT_OK, EXIT_USAGE, EXIT_NO_SOCKET = 0, 64, 66

Spawn = Callable[[int, int], "subprocess.Popen[bytes]"]


def spawn(engine: int, stderr: int) -> "subprocess.Popen[bytes]":
    """An engine process in a session of its own that talks over `engine`; it dies with this process."""
    alone = ("-I",) if sys.flags.isolated else ()
    command = [*dies_with_parent(signal.SIGKILL), sys.executable, *alone, "-m", "appliance.agent.engine", "--fd", str(engine)]
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        pass_fds=[engine],
        start_new_session=True,
    )


@dataclass(slots=True, eq=False)
class Lodger:
    """A connection and, once it has said HELLO, its engine. `since`: when it came, monotonic seconds."""

    link: socket.socket
    since: float
    process: "subprocess.Popen[bytes] | None" = None
    exit_fd: int = -1

    def tell(self, word: str, number: int) -> None:
        """A line to the agent; one that is gone misses it."""
        with suppress(OSError):
            self.link.send(f"{word} {number}\n".encode(), socket.MSG_NOSIGNAL)

    def kill(self) -> None:
        """Kill the engine's whole session."""
        if self.process is not None and self.process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)


class Host:
    """Owns the engines of one listening socket; only `users` (numbers) may connect."""

    def __init__(self, listener: socket.socket, users: Collection[int], tell: Notify, start: Spawn = spawn) -> None:
        self._listener, self._users, self._notify, self._start = listener, users, tell, start
        self._selector = selectors.DefaultSelector()
        self._lodgers: set[Lodger] = set()
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ, self._accept)

    def run(self) -> None:
        """Until a signal ends this process."""
        self._notify.tell("READY=1", "STATUS=no engine")
        while True:
            for key, _ in self._selector.select(min(self._notify.beat_s or HELLO_S, HELLO_S)):
                key.data()
            self._notify.tell("WATCHDOG=1")
            self._hurry()

    def _accept(self) -> None:
        with suppress(OSError):
            link, _ = self._listener.accept()
            user = CREDENTIALS.unpack(link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size))[1]
            if user not in self._users or len(self._lodgers) >= MAX_ENGINES:
                say(f"user {user} may not start engines" if user not in self._users else f"{MAX_ENGINES} engines run already")
                link.close()
                return
            link.setblocking(False)
            lodger = Lodger(link, time.monotonic())
            self._lodgers.add(lodger)
            self._selector.register(link, selectors.EVENT_READ, lambda: self._hear(lodger))

    def _hear(self, lodger: Lodger) -> None:
        try:
            said, descriptors = receive(lodger.link)
        except BlockingIOError:
            return
        except OSError:
            said, descriptors = b"", []
        try:
            if lodger.process is None and said == HELLO and len(descriptors) == DESCRIPTORS:
                self._open(lodger, *descriptors)
            elif lodger.process is not None and said == KILL * len(said) and said:
                lodger.kill()
            else:
                self._leave(lodger)
        finally:
            for each in descriptors:
                os.close(each)

    def _open(self, lodger: Lodger, engine: int, stderr: int) -> None:
        try:
            lodger.process = self._start(engine, stderr)
        except OSError as error:
            say(f"cannot start an engine: {error}")
            self._leave(lodger)
            return
        lodger.exit_fd = os.pidfd_open(lodger.process.pid)
        self._selector.register(lodger.exit_fd, selectors.EVENT_READ, lambda: self._ended(lodger))
        lodger.tell("pid", lodger.process.pid)
        self._count()

    def _ended(self, lodger: Lodger) -> None:
        """The engine is gone; what it made goes too."""
        assert lodger.process is not None, "its exit was waited for"
        lodger.kill()  # before it is reaped: the number is still its own
        self._selector.unregister(lodger.exit_fd)
        os.close(lodger.exit_fd)
        lodger.tell("exit", lodger.process.wait())
        self._leave(lodger)

    def _leave(self, lodger: Lodger) -> None:
        """The connection is over, and with it the engine: reaped when it has ended, for a driver may hold it a while."""
        if lodger not in self._lodgers:
            return
        self._lodgers.remove(lodger)
        self._selector.unregister(lodger.link)
        lodger.link.close()
        lodger.kill()
        self._count()

    def _hurry(self) -> None:
        now = time.monotonic()
        for lodger in [each for each in self._lodgers if each.process is None and now - each.since > HELLO_S]:
            self._leave(lodger)

    def _count(self) -> None:
        count = sum(each.process is not None for each in self._lodgers)
        self._notify.tell(f"STATUS={count or 'no'} engine{'s' if count > 1 else ''}")


def receive(link: socket.socket) -> tuple[bytes, list[int]]:
    """What was said, and the descriptors that came with it (closed on exec). Raises OSError."""
    numbers = array.array("i")
    room = socket.CMSG_SPACE(DESCRIPTORS * numbers.itemsize)
    said, ancillary, _, _ = link.recvmsg(len(HELLO), room, socket.MSG_CMSG_CLOEXEC)
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
    return said, list(numbers)


def listener_of(path: Path | None, environ: Mapping[str, str]) -> socket.socket | None:
    """The socket that systemd listens on for us, or a new one at `path` for this user alone; None without either."""
    if environ.get("LISTEN_PID") == str(os.getpid()) and environ.get("LISTEN_FDS") == "1":
        return socket.socket(fileno=LISTEN_FD)
    if path is None:
        return None
    path.unlink(missing_ok=True)
    listener, mask = socket.socket(socket.AF_UNIX), os.umask(0o177)
    listener.bind(str(path))
    os.umask(mask)
    listener.listen(MAX_ENGINES)
    return listener


def say(line: str) -> None:
    """For the journal."""
    sys.stderr.write(f"engine host: {line}\n")
    sys.stderr.flush()


def number_of(user: str) -> int:
    """A user's number, by name or as given. Raises KeyError."""
    return int(user) if user.isdigit() else pwd.getpwnam(user).pw_uid


def main(arguments: list[str]) -> int:
    """Serve until a signal."""
    parser = argparse.ArgumentParser(prog="python -m appliance.agent.engine.host", description=__doc__)
    parser.add_argument("--socket", type=Path, help="listen here (default: the socket that systemd hands over)")
    parser.add_argument("--user", action="append", default=[], help="who may start engines (default: this user)")
    options = parser.parse_args(arguments)
    try:
        users = [number_of(each) for each in options.user] or [os.getuid()]
    except KeyError as error:
        say(f"{error.args[0]}; name a user that there is")
        return EXIT_USAGE
    listener = listener_of(options.socket, os.environ)
    if listener is None:
        say("no socket: name one with --socket PATH, or start iamine-engine.socket")
        return EXIT_NO_SOCKET
    told = notify(os.environ)
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"):
        os.environ.pop(name, None)  # none of it is an engine's
    with suppress(KeyboardInterrupt):
        Host(listener, users, told).run()
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
