"""The pool that was found once, on disk; and what needs no network. (Finding itself: tests/integration/lan.)"""

from pathlib import Path

import pytest

from appliance.agent.config import Options, settings
from appliance.agent.errors import ConfigError
from appliance.agent.finding import FoundPool, Home, home, keep_found, read_found

FOUND = FoundPool(fingerprint="0011", base="http://10.0.0.1:8000/v1", name="Lab")


def test_what_was_found_is_remembered_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "found-pool.json"
    assert read_found(path) is None
    keep_found(path, FOUND)
    assert read_found(path) == FOUND
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_a_damaged_file_is_named_and_not_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "found-pool.json"
    path.write_text('{"fingerprint": 3}')
    with pytest.raises(ConfigError, match=r"found-pool\.json") as caught:
        read_found(path)
    assert "delete it" in caught.value.hint


def test_an_address_that_is_set_holds_whatever_was_found_before(tmp_path: Path) -> None:
    keep_found(tmp_path / "found-pool.json", FOUND)
    chosen = settings(Options(pool="h:1"), {}, tmp_path)
    assert home(chosen, lambda line: pytest.fail(line)) == Home(base="http://h:1/v1", pool_key="")


def test_looking_can_be_switched_off(tmp_path: Path) -> None:
    (tmp_path / "worker.toml").write_text("discover = false")
    with pytest.raises(ConfigError, match="no pool is set"):
        home(settings(Options(), {}, tmp_path), lambda line: pytest.fail(line))
