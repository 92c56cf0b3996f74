"""Files are whole or not there, and a stick is not worn for nothing."""

from pathlib import Path

from appliance.medium.files import write


def test_a_file_is_written_with_its_mode_and_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "settings.json"
    write(path, b"one", 0o600)
    assert path.read_bytes() == b"one" and path.stat().st_mode & 0o777 == 0o600
    write(path, b"two", 0o644)
    assert path.read_bytes() == b"two" and path.stat().st_mode & 0o777 == 0o644
    assert [each.name for each in path.parent.iterdir()] == ["settings.json"]


def test_the_same_content_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write(path, b"same")
    before = path.stat().st_ino
    write(path, b"same")
    assert path.stat().st_ino == before


def test_a_draft_left_by_a_cut_off_start_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / ".a.new").write_bytes(b"half")
    write(tmp_path / "a", b"whole")
    assert (tmp_path / "a").read_bytes() == b"whole" and not (tmp_path / ".a.new").exists()
