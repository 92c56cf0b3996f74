"""A pause is kept until it is forgotten."""

from pathlib import Path

import pytest

from appliance.agent.pausefile import FILE_NAME, keep_pause, read_pause
from appliance.agent.schedule import Pause


@pytest.mark.parametrize("pause", [Pause(), Pause(until_s=1e9)])
def test_what_was_kept_is_found_again(tmp_path: Path, pause: Pause) -> None:
    assert read_pause(tmp_path) is None
    keep_pause(tmp_path, pause)
    assert read_pause(tmp_path) == pause
    keep_pause(tmp_path, None)
    keep_pause(tmp_path, None)
    assert read_pause(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"until_s": "noon"}'])
def test_a_file_that_cannot_be_understood_is_a_pause(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    assert read_pause(tmp_path) == Pause()


def test_a_folder_that_takes_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        keep_pause(tmp_path / "none", Pause())
