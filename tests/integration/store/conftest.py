"""One embedded PostgreSQL for all tests of the store, in a process of its own; each test has its own database."""

import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from pool.store.store import Store, open_store

OWNER_SCRIPT = Path(__file__).with_name("owner.py")
GONE_WITHIN_S = 10.0


@dataclass
class Owner:
    """A process that owns a PostgreSQL, like the pool."""

    process: subprocess.Popen[str]
    told: dict[str, Any]

    @property
    def dsn(self) -> str:
        return str(self.told["dsn"])

    @property
    def postgres_pid(self) -> int:
        return int(self.told["postgres_pid"])

    def close(self) -> int:
        self.process.communicate("")
        return self.process.returncode

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def start_owner(data_dir: Path, prefix: Sequence[str] = (), environ: dict[str, str] | None = None) -> Owner:
    """Start it and wait for what it tells."""
    process = subprocess.Popen(
        [*prefix, sys.executable, str(OWNER_SCRIPT), str(data_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | (environ or {}),
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    return Owner(process, json.loads(line) if line else {"error": "it said nothing"})


def processes_of(data_dir: Path) -> list[int]:
    """Every process whose command line or working folder names the folder, but not the owner itself."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            at_work = (folder / "cwd").readlink().is_relative_to(data_dir)
            if at_work or (str(data_dir / "postgres").encode() in (folder / "cmdline").read_bytes()):
                found.append(int(folder.name))
    return found


def gone_after_s(data_dir: Path) -> float:
    """How long until no process of the folder is left; fails after GONE_WITHIN_S."""
    began = time.monotonic()
    while left := processes_of(data_dir):
        assert time.monotonic() - began < GONE_WITHIN_S, f"left behind: {left}"
        time.sleep(0.05)
    return time.monotonic() - began


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that other users can pass (pytest's own is closed to them), and whose processes are ended at last."""
    path = Path(tempfile.mkdtemp(prefix="iamine-test-"))
    path.chmod(0o755)
    yield path
    for pid in processes_of(path):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    gone_after_s(path)
    shutil.rmtree(path)


@pytest.fixture
def run_owner() -> Iterator[Callable[..., Owner]]:
    """start_owner, whose processes do not outlive the test."""
    owners: list[Owner] = []

    def start(data_dir: Path, prefix: Sequence[str] = (), environ: dict[str, str] | None = None) -> Owner:
        owners.append(start_owner(data_dir, prefix, environ))
        return owners[-1]

    yield start
    for owner in owners:
        owner.kill()


@pytest.fixture(scope="session")
def server() -> Iterator[Owner]:
    """The one that the tests of accounts, jobs and workers share."""
    with tempfile.TemporaryDirectory(prefix="iamine-test-") as path:
        owner = start_owner(Path(path) / "data")
        yield owner
        owner.close()


_numbers = itertools.count()


@pytest.fixture
async def dsn(server: Owner) -> AsyncIterator[str]:
    """An empty database of its own."""
    name = f"test_{next(_numbers)}"
    connection = await asyncpg.connect(server.dsn)
    await connection.execute(f'CREATE DATABASE "{name}"')
    yield urlunsplit(urlsplit(server.dsn)._replace(path=f"/{name}"))
    await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await connection.close()


@pytest.fixture
async def store(dsn: str) -> AsyncIterator[Store]:
    """A store with its tables."""
    opened = await open_store(dsn, wait_s=5.0)
    yield opened
    await opened.close()


@pytest.fixture
def gone() -> Callable[[Path], float]:
    """Wait until no process of a folder is left; the seconds it took."""
    return gone_after_s
