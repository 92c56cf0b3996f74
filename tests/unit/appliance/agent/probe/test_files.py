"""The formats of the kernel's small files."""

from pathlib import Path

import pytest

from appliance.agent.probe.files import fields, link_name, number, numbers, read


@pytest.mark.parametrize(
    ("listed", "found"),
    [("0-3,8", {0, 1, 2, 3, 8}), ("5", {5}), ("", set()), (None, set()), ("x", set()), ("1-y", set()), ("0-1,\n", {0, 1})],
)
def test_lists_of_processors(listed: str | None, found: set[int]) -> None:
    assert numbers(listed) == found


def test_what_is_not_there_is_a_value(tmp_path: Path) -> None:
    assert read(tmp_path / "x") is None
    assert number(tmp_path / "x") is None
    assert fields(tmp_path / "x") == {}
    assert link_name(tmp_path / "x") == ""


def test_numbers_and_fields_and_links(tmp_path: Path) -> None:
    (tmp_path / "n").write_text("0x10\n")
    (tmp_path / "f").write_text("a : 1\nb\na : 2\n")
    (tmp_path / "l").symlink_to("/drivers/amdgpu")
    assert number(tmp_path / "n") == 16
    assert fields(tmp_path / "f") == {"a": "1"}
    assert link_name(tmp_path / "l") == "amdgpu"
