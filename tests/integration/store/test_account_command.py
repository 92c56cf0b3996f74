"""`iamine account` beside a running pool, and without one."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pool.store.store import open_store


def account(action: str, data_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "iamine", "account", action, "--data-dir", str(data_dir), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def create(data_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return account("create", data_dir, *arguments)


async def test_it_uses_the_database_of_a_running_pool(folder: Path, run_owner: Callable[..., Any]) -> None:
    owner = run_owner(folder / "data")
    made = create(folder / "data", "ann", "--json")
    assert made.returncode == 0, made.stderr
    store = await open_store(owner.dsn)
    told = json.loads(made.stdout)
    assert await store.accounts.authenticate(told["api_key"]) == told["account"]
    await store.close()


def test_without_a_pool_it_starts_the_database_for_a_moment(folder: Path, gone: Callable[[Path], float]) -> None:
    made = create(folder / "data", "ann")
    assert made.returncode == 0, made.stderr
    assert "API key  im_" in made.stdout
    gone(folder)
    again = create(folder / "data", "ANN")
    assert again.returncode == 1
    assert again.stderr == "error: there is already an account called 'ANN' (capitals do not count)\ntry: choose another name\n"


async def test_a_key_is_listed_and_revoked(folder: Path, run_owner: Callable[..., Any]) -> None:
    owner = run_owner(folder / "data")
    key = json.loads(create(folder / "data", "ann", "--json").stdout)["api_key"]
    kid = key.split("_")[1]
    (listed,) = json.loads(account("list", folder / "data", "--json").stdout)["accounts"]
    assert (listed["name"], [one["kid"] for one in listed["keys"]]) == ("ann", [kid])
    assert f"  {kid}  made 20" in account("list", folder / "data").stdout
    assert key.split("_")[2] not in account("list", folder / "data", "--json").stdout
    store = await open_store(owner.dsn)
    assert await store.accounts.authenticate(key) is not None
    revoked = account("revoke", folder / "data", key)
    assert revoked.stdout == f"key {kid} is revoked; a running pool refuses it within 30 s\n"
    await store.close()
    store = await open_store(owner.dsn)
    assert await store.accounts.authenticate(key) is None
    await store.close()
    again = account("revoke", folder / "data", kid, "--json")
    assert (again.returncode, json.loads(again.stdout)) == (1, {"kid": kid, "revoked": False})
    assert again.stderr == f"error: there is no key {kid} in force\ntry: iamine account list\n"
    assert "in force" not in account("list", folder / "data").stdout
