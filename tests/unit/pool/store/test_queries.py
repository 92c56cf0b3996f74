"""SQL by name."""

from pathlib import Path

import pytest

from pool.store import queries


def test_each_block_has_its_name() -> None:
    assert queries.parse("-- a file\n\n-- name: one\nSELECT 1\n\n-- name: two\n-- why\nSELECT 2\n") == {
        "one": "SELECT 1",
        "two": "-- why\nSELECT 2",
    }


def test_a_name_given_twice_is_an_error() -> None:
    with pytest.raises(ValueError, match="twice: a"):
        queries.parse("-- name: a\nSELECT 1\n-- name: a\nSELECT 2")


def test_sql_without_a_name_is_an_error() -> None:
    with pytest.raises(ValueError, match="before the first"):
        queries.parse("SELECT 1\n-- name: a\nSELECT 2")


def test_an_unknown_name_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.sql").write_text("-- name: a\nSELECT 1")
    found = queries.load("x", tmp_path)
    assert found.names() == ("a",)
    with pytest.raises(KeyError):
        _ = found["b"]


@pytest.mark.parametrize("path", sorted(queries.SQL_DIR.glob("*.sql")), ids=lambda path: path.stem)
def test_our_own_files_are_read_and_list_their_columns(path: Path) -> None:
    found = queries.load(path.stem)
    assert found.names()
    assert not [name for name in found.names() if "select *" in found[name].lower()]
