"""Where files are kept."""

import stat
from pathlib import Path

import pytest

from iamine.paths import FolderUnusable, NoHome, cache_dir, data_dir, private_dir


def test_the_option_wins_over_every_variable() -> None:
    assert data_dir({"IAMINE_DATA_DIR": "/b", "HOME": "/h"}, "/a") == Path("/a")


def test_the_variable_wins_over_xdg() -> None:
    assert data_dir({"IAMINE_DATA_DIR": "/b", "XDG_DATA_HOME": "/x", "HOME": "/h"}) == Path("/b")


def test_xdg_wins_over_home() -> None:
    assert data_dir({"XDG_DATA_HOME": "/x", "HOME": "/h"}) == Path("/x/iamine")


def test_a_relative_xdg_path_is_ignored() -> None:
    assert data_dir({"XDG_DATA_HOME": "x", "HOME": "/h"}) == Path("/h/.local/share/iamine")


def test_the_cache_follows_the_same_rules() -> None:
    assert cache_dir({"HOME": "/h"}) == Path("/h/.cache/iamine")
    assert cache_dir({"XDG_CACHE_HOME": "/c", "HOME": "/h"}) == Path("/c/iamine")


@pytest.mark.parametrize("environ", [{}, {"HOME": ""}])
def test_without_a_home_the_error_says_what_to_set(environ: dict[str, str]) -> None:
    with pytest.raises(NoHome) as caught:
        data_dir(environ)
    assert "--data-dir" in caught.value.hint


def test_a_private_folder_is_for_its_owner_only(tmp_path: Path) -> None:
    made = private_dir(tmp_path / "a" / "b")
    assert stat.S_IMODE(made.stat().st_mode) == 0o700


def test_a_folder_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    assert stat.S_IMODE(private_dir(tmp_path).stat().st_mode) == 0o750


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(FolderUnusable, match="cannot make"):
        private_dir(tmp_path / "a" / "b")
