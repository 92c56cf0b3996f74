"""Processes that are measured: started, asked for their processor time and memory, and ended."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psutil

BENCH = Path(__file__).parents[1]
ROOT = BENCH.parent
START_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """Processor seconds (user + system) of the server itself, and of its database."""

    own_s: float
    database_s: float = 0.0

    def __sub__(self, other: "Used") -> "Used":
        return Used(own_s=self.own_s - other.own_s, database_s=self.database_s - other.database_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A server under load. `children_are` says whether its child processes are the server too, or its database."""

    name: str
    port: int
    key: str
    pid: int
    children_are: str = "server"

    def used(self) -> Used:
        """Processor time by now."""
        process = psutil.Process(self.pid)
        own = sum(process.cpu_times()[:2])
        children = sum(_seconds(child) for child in process.children(recursive=True))
        return Used(own_s=own + children) if self.children_are == "server" else Used(own_s=own, database_s=children)

    def memory_mb(self) -> float:
        """Resident memory of the server itself (for several processes: their sum)."""
        process = psutil.Process(self.pid)
        found = process.memory_info().rss
        if self.children_are == "server":
            found += sum(child.memory_info().rss for child in process.children(recursive=True))
        return float(found) / 1e6


def _seconds(process: psutil.Process) -> float:
    """Its own time and that of its ended children."""
    try:
        return float(sum(process.cpu_times()[:4]))
    except psutil.Error:
        return 0.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment() -> dict[str, str]:
    """For our own processes: this checkout and the bench's parts can be imported, whatever is installed."""
    return os.environ | {"PYTHONPATH": f"{ROOT}:{BENCH}"}


@contextlib.contextmanager
def running(command: list[str], log: Path, environ: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """The process, with its output in the log; ended with everything that it started."""
    with log.open("ab") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=environ or environment(), start_new_session=True)
    try:
        yield process
    finally:
        family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        for one in family:
            with contextlib.suppress(psutil.Error):
                one.kill()
        if process.poll() is None:
            process.kill()
        process.wait(10)


def wait_until_listening(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until something accepts connections there. Raises RuntimeError with the end of its log."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise RuntimeError(f"{process.args!r} does not listen: {log.read_text()[-1500:]}")


CONFIG = """per_key_concurrency = 100000
requests_per_minute = 1000000000
tokens_per_minute = 1000000000000
"""


@contextlib.contextmanager
def pool(folder: Path, limits: str = CONFIG) -> Iterator[Target]:
    """The real pool, with its embedded PostgreSQL and keys checked; by default the limits per key are out of the way."""
    port, data, log = free_port(), folder / "pool", folder / "pool.log"
    config = folder / "pool.toml"
    config.write_text(limits)
    command = [sys.executable, "-m", "iamine", "pool", "--port", str(port), "--data-dir", str(data), "--config", str(config)]
    with running(command, log) as process:
        wait_until_listening(port, process, log)
        told = data / "client.json"
        while not told.exists():
            time.sleep(0.1)
        key = str(json.loads(told.read_text())["api_key"])
        yield Target(name="pool", port=port, key=key, pid=process.pid, children_are="database")


class Talker:
    """A process of ours that takes lines and answers with lines of JSON."""

    def __init__(self, module: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(),
            text=True,
        )

    def read(self) -> str:
        """A line. Raises RuntimeError when there is none."""
        line = _pipe(self.process.stdout).readline()
        if not line:
            raise RuntimeError(f"{self.process.args!r} ended with {self.process.wait(5)}")
        return line.strip()

    def ask(self, line: str) -> dict[str, Any]:
        """Write a line, read one."""
        self.write(line)
        found: dict[str, Any] = json.loads(self.read())
        return found

    def write(self, line: str) -> None:
        pipe = _pipe(self.process.stdin)
        pipe.write(line + "\n")
        pipe.flush()

    def close(self) -> None:
        self.process.kill()
        self.process.wait(10)
        for pipe in (self.process.stdin, self.process.stdout):
            _pipe(pipe).close()


def _pipe(pipe: "IO[str] | None") -> "IO[str]":
    assert pipe is not None
    return pipe


@contextlib.contextmanager
def talking(module: str, *arguments: str) -> Iterator[Talker]:
    """The process while it is needed."""
    talker = Talker(module, *arguments)
    try:
        yield talker
    finally:
        talker.close()


def workers(target: Target, count: int, slots: int, first: int = 1) -> "contextlib.AbstractContextManager[Talker]":
    """Fake workers before the pool, numbered from `first`; their first line tells that all have joined."""
    url = f"ws://127.0.0.1:{target.port}/v1/workers/connect"
    return talking("relay_parts.workers", url, str(count), str(slots), str(first))
