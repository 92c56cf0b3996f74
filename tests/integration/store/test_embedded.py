"""The embedded PostgreSQL as real processes: kept, recovered, never left behind, closed to others."""

import asyncio
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from pool.store.store import open_store

NAMED, NAMELESS = 65534, 1234
Start = Callable[..., Any]


async def write(dsn: str, value: int) -> list[int]:
    """Adds a row and gives all rows."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE TABLE IF NOT EXISTS kept (value integer)")
    await connection.execute("INSERT INTO kept VALUES ($1)", value)
    rows = [row["value"] for row in await connection.fetch("SELECT value FROM kept ORDER BY value")]
    await connection.close()
    return rows


def become(uid: int) -> tuple[str, ...]:
    return ("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups")


def can_run_python(uid: int) -> bool:
    """May this user run the Python of the tests? Not when it lies in root's home. (setpriv's own exec still may.)"""
    command = [*become(uid), "--", "sh", "-c", 'exec "$0" -c ""', sys.executable]
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0


def plain_users() -> list[int]:
    """Whom to become: one user with a name and one without. Who is not root can only be itself."""
    if os.geteuid() != 0:
        return [os.geteuid()]
    return [NAMED, NAMELESS] if can_run_python(NAMELESS) else [NAMED]


def as_plain_user(folder: Path, uid: int) -> tuple[str, ...]:
    """How to run as someone who is not root (and may pass folders by a capability if Python lies in root's home)."""
    if os.geteuid() != 0:
        return ()
    os.chown(folder, uid, uid)
    passing = () if can_run_python(uid) else ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")
    return (*become(uid), *passing, "--")


async def test_a_second_start_keeps_the_data(folder: Path, run_owner: Start, gone: Callable[[Path], float]) -> None:
    first = run_owner(folder / "data")
    assert await write(first.dsn, 1) == [1]
    assert first.close() == 0
    gone(folder)
    second = run_owner(folder / "data")
    assert second.dsn == first.dsn
    assert await write(second.dsn, 2) == [1, 2]


async def test_everything_in_the_folder_is_for_its_owner_only(folder: Path, run_owner: Start) -> None:
    data = folder / "data"
    run_owner(data)
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    for name in ("postgres", "socket"):
        assert stat.S_IMODE((data / name).stat().st_mode) == 0o700
    for name in ("postgres.password", "postgres.dsn", "postgres.log"):
        assert stat.S_IMODE((data / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((data / "socket" / ".s.PGSQL.5432").stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


async def test_it_does_not_listen_on_the_network(folder: Path, run_owner: Start) -> None:
    owner = run_owner(folder / "data")
    connection = await asyncpg.connect(owner.dsn)
    assert await connection.fetchval("SHOW listen_addresses") == ""
    await connection.close()
    with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
        probe.connect(("127.0.0.1", 5432))


async def test_a_killed_server_comes_back_with_its_data_and_the_store_goes_on(folder: Path, run_owner: Start) -> None:
    owner = run_owner(folder / "data")
    store = await open_store(owner.dsn)
    made = await store.accounts.create("ann")
    os.kill(owner.postgres_pid, signal.SIGKILL)
    began = time.monotonic()
    assert [name.name for name in await store.accounts.names()] == ["ann"]
    assert await store.accounts.authenticate(made.api_key) == made.account
    assert time.monotonic() - began < 15
    await store.close()


async def test_queries_in_flight_survive_every_kill(folder: Path, run_owner: Start) -> None:
    owner = run_owner(folder / "data")
    store = await open_store(owner.dsn)
    killing = True

    async def ask() -> int:
        answers = 0
        while killing:
            await store.accounts.names()
            answers += 1
        return answers

    asking = [asyncio.create_task(ask()) for _ in range(4)]
    pid_file = folder / "data" / "postgres" / "postmaster.pid"
    for _ in range(3):
        await asyncio.sleep(0.3)
        os.kill(int(pid_file.read_text().split()[0]), signal.SIGKILL)
        await asyncio.sleep(0.3)
        await store.accounts.names()
    killing = False
    assert min(await asyncio.gather(*asking)) > 0
    await store.close()


async def test_a_killed_owner_leaves_no_process_and_loses_nothing(
    folder: Path, run_owner: Start, gone: Callable[[Path], float]
) -> None:
    owner = run_owner(folder / "data")
    await write(owner.dsn, 1)
    owner.kill()
    assert gone(folder) < 8
    again = run_owner(folder / "data")
    assert await write(again.dsn, 2) == [1, 2]


async def test_a_start_right_after_a_kill_waits_for_the_old_server(folder: Path, run_owner: Start) -> None:
    owner = run_owner(folder / "data")
    await write(owner.dsn, 1)
    owner.process.kill()
    again = run_owner(folder / "data")
    assert await write(again.dsn, 2) == [1, 2]


async def test_owner_and_server_killed_at_once_lose_nothing(folder: Path, run_owner: Start) -> None:
    owner = run_owner(folder / "data")
    await write(owner.dsn, 1)
    os.kill(owner.postgres_pid, signal.SIGKILL)
    owner.process.kill()
    again = run_owner(folder / "data")
    assert await write(again.dsn, 2) == [1, 2]


def test_an_owner_killed_while_it_makes_the_cluster_is_healed(
    folder: Path, run_owner: Start, gone: Callable[[Path], float]
) -> None:
    data = folder / "data"
    script = Path(__file__).with_name("owner.py")
    process = subprocess.Popen([sys.executable, str(script), str(data)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    while not list(data.glob("postgres.draft.*/*")):
        time.sleep(0.005)
    process.kill()
    process.communicate()
    gone(folder)
    assert not (data / "postgres").exists()
    assert "dsn" in run_owner(data).told
    assert not list(data.glob("postgres.draft.*"))


def test_a_pid_file_that_names_a_stranger_is_no_obstacle(folder: Path, run_owner: Start) -> None:
    run_owner(folder / "data").close()
    (folder / "data" / "postgres" / "postmaster.pid").write_text(
        f"{os.getpid()}\n{folder}/data/postgres\n0\n5432\n\n\n  1  1\n"
    )
    assert "dsn" in run_owner(folder / "data").told


def test_a_second_owner_is_refused(folder: Path, run_owner: Start) -> None:
    run_owner(folder / "data")
    refused = run_owner(folder / "data")
    assert "another pool uses" in refused.told["error"]
    assert "--data-dir" in refused.told["hint"]


async def test_a_long_path_with_spaces_has_its_socket_elsewhere(folder: Path, run_owner: Start) -> None:
    data = folder / "a folder with spaces and ümlauts" / ("x" * 90)
    owner = run_owner(data, environ={"XDG_RUNTIME_DIR": "", "TMPDIR": str(folder)})
    assert not (data / "socket").exists()
    assert await write(owner.dsn, 1) == [1]


@pytest.mark.parametrize("uid", plain_users())
async def test_it_runs_for_a_plain_user(folder: Path, run_owner: Start, uid: int) -> None:
    owner = run_owner(folder / "data", prefix=as_plain_user(folder, uid))
    assert await write(owner.dsn, 1) == [1]


async def test_it_runs_for_root_or_whoever_below_a_closed_folder(folder: Path, run_owner: Start) -> None:
    folder.chmod(0o700)
    owner = run_owner(folder / "deep" / "data")
    assert await write(owner.dsn, 1) == [1]
    assert (folder / "deep" / "data" / "postgres").stat().st_uid == os.geteuid()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_nobody_else_gets_in(folder: Path, run_owner: Start) -> None:
    owner = run_owner(folder / "data")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(re.sub(":[^@]*@", ":wrong@", owner.dsn))
    if os.geteuid() == 0:  # who else could become another user
        path = folder / "data" / "socket" / ".s.PGSQL.5432"
        ask = f"import socket; socket.socket(socket.AF_UNIX).connect({json.dumps(str(path))})"
        command = [*become(NAMELESS), "--", "/usr/bin/python3", "-c", ask]
        tried = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "PermissionError" in tried.stderr
