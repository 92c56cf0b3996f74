"""Folders, key, clock and systemd's unit."""

import sys
from datetime import datetime, timezone
from pathlib import Path

import pytest

from appliance.agent.doctor import system


def test_the_data_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    assert system.folder("data folder", tmp_path, lambda path: 10**12).state == "ok"
    assert system.folder("data folder", tmp_path, lambda path: None).state == "ok"
    assert "first start" in system.folder("data folder", tmp_path / "later" / "still", lambda path: None).found
    assert system.folder("data folder", tmp_path, lambda path: 10**6).state == "warn"
    assert list(tmp_path.iterdir()) == []
    tmp_path.chmod(0o777)
    assert system.folder("data folder", tmp_path, lambda path: 10**12).state == "fail"
    file = tmp_path / "file"
    file.touch()
    assert system.folder("data folder", file, lambda path: None).state == "fail"


def test_a_folder_that_takes_nothing() -> None:
    assert system.refuses(Path("/proc/self"))


def test_the_key(tmp_path: Path) -> None:
    path = tmp_path / "worker.key"
    assert system.key(path).state == "ok"
    path.touch(mode=0o600)
    assert system.key(path).state == "ok"
    path.chmod(0o644)
    assert system.key(path).advice == f"chmod 600 {path}"


def test_a_clock_from_before_this_program_is_wrong() -> None:
    assert system.clock(datetime(1970, 1, 1, tzinfo=timezone.utc)).state == "fail"
    assert system.clock(datetime(2027, 1, 1, tzinfo=timezone.utc)).state == "ok"


@pytest.mark.parametrize(
    ("told", "verdict"),
    [
        ({"ActiveState": "active", "SubState": "running", "NRestarts": "0"}, "ok"),
        ({"ActiveState": "active", "SubState": "running", "NRestarts": "9"}, "warn"),
        ({"ActiveState": "inactive", "SubState": "dead"}, "warn"),
        ({"ActiveState": "failed", "SubState": "failed", "Result": "exit-code"}, "fail"),
        ({"ActiveState": "activating", "SubState": "auto-restart", "Result": "exit-code"}, "fail"),
    ],
)
def test_the_units_state(told: dict[str, str], verdict: str) -> None:
    check = system.state(told)
    assert (check.state, bool(check.advice)) == (verdict, verdict != "ok")


def test_a_machine_without_systemd_or_unit_has_nothing_to_tell() -> None:
    assert list(system.unit(("/does/not/exist",))) == []
    assert list(system.unit((sys.executable, "-c", "print('LoadState=not-found')"))) == []
    (check,) = system.unit((sys.executable, "-c", "print('LoadState=loaded\\nActiveState=failed\\nResult=oom')"))
    assert "oom" in check.found
