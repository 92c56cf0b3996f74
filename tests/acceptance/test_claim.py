"""A worker's code, from its own mouth to an account, with real processes."""

import json
import subprocess
import sys
from typing import Any

from house import ROOT, House, wait_for


def told(house: House, *arguments: str) -> Any:
    """What a command says as JSON."""
    command = [sys.executable, "-m", "iamine", *arguments, "--json", "--data-dir", str(house.data_dir)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def claim(house: House) -> dict[str, Any]:
    """What the worker's own screen shows of it."""
    (worker,) = told(house, "status")["workers"]
    shown: dict[str, Any] = (worker["view"] or {}).get("claim") or {}
    return shown


def test_a_worker_is_claimed_by_the_code_it_shows_and_shows_whose_it_is_then(house: House) -> None:
    house.start()
    shown = wait_for(lambda: claim(house) if claim(house).get("code") else None, 30, "a code")
    assert shown["page"] == f"{house.url}/claim" and len(shown["qr"]) >= 15 and not shown["owner"]
    mine = told(house, "claim", shown["code"].lower().replace("-", " "))
    assert mine["object"] == "iamine.worker" and mine["linked"] and mine["models"] == ["mote"]
    wait_for(lambda: claim(house).get("owner") == "owner", 10, "the worker knows its owner")
    assert claim(house)["code"] == ""
    assert [one["id"] for one in told(house, "workers")["workers"]] == [mine["id"]]
    again = [sys.executable, "-m", "iamine", "claim", shown["code"], "--data-dir", str(house.data_dir)]
    refused = subprocess.run(again, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 1 and "changes every hour" in refused.stderr, "a code counts once"
    told(house, "unclaim", mine["id"])
    fresh = wait_for(lambda: claim(house).get("code"), 10, "a code again")
    assert fresh != shown["code"]
