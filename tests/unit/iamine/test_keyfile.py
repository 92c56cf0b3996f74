"""The key file: made once, private, and never replaced by accident."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from iamine.keyfile import KeyFileError, load_or_create


def test_the_first_start_makes_a_private_file_and_the_second_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "worker.key"
    first = load_or_create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_or_create(path).public_key == first.public_key
    assert [child.name for child in path.parent.iterdir()] == ["worker.key"]


def test_many_starts_at_once_agree_on_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        keys = set(threads.map(lambda _: load_or_create(tmp_path / "k").public_key, range(32)))
    assert len(keys) == 1


def test_a_file_that_others_can_read_is_refused_with_the_line_that_cures_it(tmp_path: Path) -> None:
    path = tmp_path / "k"
    load_or_create(path)
    path.chmod(0o644)
    with pytest.raises(KeyFileError) as caught:
        load_or_create(path)
    assert caught.value.hint == f"chmod 600 {path}"


@pytest.mark.parametrize("content", ["", "not hexadecimal", "00" * 31])
def test_a_file_without_a_key_is_refused_and_kept(tmp_path: Path, content: str) -> None:
    path = tmp_path / "k"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError):
        load_or_create(path)
    assert path.read_text() == content
