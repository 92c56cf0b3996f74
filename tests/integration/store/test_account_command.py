"""`iamine account create` beside a running pool, and without one."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pool.store.store import open_store


def create(data_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "iamine", "account", "create", "--data-dir", str(data_dir), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


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
