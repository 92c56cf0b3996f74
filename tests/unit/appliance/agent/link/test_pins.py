"""The pinned keys on disk."""

import stat
from pathlib import Path

import pytest

from appliance.agent.errors import ConfigError
from appliance.agent.link.pins import pin, read_pins


def test_a_key_is_kept_by_address_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "data" / "pool.json"
    pin(path, "ws://a", b"\x01" * 32)
    pin(path, "ws://b", b"\x02" * 32)
    assert read_pins(path) == {"ws://a": b"\x01" * 32, "ws://b": b"\x02" * 32}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["pool.json"]


def test_the_same_key_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "pool.json"
    pin(path, "ws://a", b"\x01")
    before = path.stat().st_ino
    pin(path, "ws://a", b"\x01")
    assert path.stat().st_ino == before


@pytest.mark.parametrize("text", ["{", '{"ws://a": "xyz"}', '{"ws://a": 1}'])
def test_a_damaged_file_is_told_rather_than_trusted_anew(tmp_path: Path, text: str) -> None:
    path = tmp_path / "pool.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        read_pins(path)
    assert caught.value.hint
