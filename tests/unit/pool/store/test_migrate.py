"""Which migrations are to be applied; applying them is in tests/integration/store."""

from pathlib import Path
from typing import Any

import pytest

from pool.store.errors import DatabaseUnusable, MigrationChanged
from pool.store.migrate import Migration, check_server, missing, read

ONE = Migration(number=1, name="one", sql="SELECT 1")
TWO = Migration(number=2, name="two", sql="SELECT 2")
SERVER: dict[str, Any] = {
    "version": 150001,
    "version_text": "15.1",
    "has_vector": True,
    "made_vector": False,
    "is_superuser": True,
}


def applied(migration: Migration) -> tuple[int, str, str]:
    return (migration.number, migration.name, migration.checksum)


def test_a_new_database_needs_all() -> None:
    assert missing([ONE, TWO], []) == (ONE, TWO)


def test_what_was_applied_is_not_applied_again() -> None:
    assert missing([ONE, TWO], [applied(ONE)]) == (TWO,)
    assert missing([ONE, TWO], [applied(ONE), applied(TWO)]) == ()


def test_a_changed_migration_is_an_error() -> None:
    changed = Migration(number=1, name="one", sql="SELECT 1 -- better")
    with pytest.raises(MigrationChanged, match="migration 1"):
        missing([changed], [applied(ONE)])


def test_a_newer_database_is_an_error() -> None:
    with pytest.raises(MigrationChanged, match="newer than this program"):
        missing([ONE], [applied(ONE), applied(TWO)])


def test_our_own_migrations_are_numbered_without_holes() -> None:
    assert [migration.number for migration in read()][:1] == [1]


def test_a_hole_in_the_numbers_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "0002_x.sql").write_text("")
    with pytest.raises(ValueError, match="numbered"):
        read(tmp_path)


def test_a_file_without_a_number_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.sql").write_text("")
    with pytest.raises(ValueError, match="NNNN_name"):
        read(tmp_path)


@pytest.mark.parametrize("row", [SERVER, SERVER | {"made_vector": True, "is_superuser": False}])
def test_a_server_that_fits_is_taken(row: dict[str, Any]) -> None:
    check_server(row)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"version": 140009}, "too old"), ({"has_vector": False}, "no `vector`"), ({"is_superuser": False}, "may not create")],
)
def test_a_server_that_does_not_fit_is_told_with_a_way_out(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DatabaseUnusable, match=message) as caught:
        check_server(SERVER | change)
    assert caught.value.hint
