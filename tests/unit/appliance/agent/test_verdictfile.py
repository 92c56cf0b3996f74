"""Verdicts are remembered by place and file, within a bound, whatever the file has become."""

import json
from pathlib import Path

import pytest

from appliance.agent.verdict import Place, Verdict
from appliance.agent.verdictfile import FILE_NAME, MAX_BYTES, MAX_ENTRIES, VerdictFile, build

HERE = Place(hardware="h", driver="d", engine="e", how="w")
THERE = Place(hardware="h", driver="d", engine="other", how="w")


def verdict(sha: str, at: float = 1.0, tps: float = 9.0) -> Verdict:
    return Verdict(model="m", file_sha256=sha, at=at, decode_tps=tps, prefill_tps=1.0)


def opened(folder: Path, lines: list[str], place: Place = HERE) -> VerdictFile:
    return VerdictFile(folder, place, lines.append)


def test_what_is_kept_is_known_by_the_next_start_in_the_same_place_only(tmp_path: Path) -> None:
    lines: list[str] = []
    first = opened(tmp_path / "new", lines)
    first.keep(verdict("a"))
    first.keep(verdict("a", at=2.0, tps=10.0))
    first.keep(verdict("b"), lasting=False)
    assert set(first.known) == {"a", "b"}
    assert opened(tmp_path / "new", lines).known == {"a": verdict("a", at=2.0, tps=10.0)}
    assert opened(tmp_path / "new", lines, THERE).known == {}
    assert [path.name for path in (tmp_path / "new").iterdir()] == [FILE_NAME]
    assert lines == []


def test_two_writers_do_not_lose_each_others_verdicts(tmp_path: Path) -> None:
    one, other = opened(tmp_path, []), opened(tmp_path, [], THERE)
    one.keep(verdict("a"))
    other.keep(verdict("a", tps=3.0))
    assert opened(tmp_path, []).known["a"].decode_tps == 9.0
    assert opened(tmp_path, [], THERE).known["a"].decode_tps == 3.0


def test_the_oldest_go(tmp_path: Path) -> None:
    book = opened(tmp_path, [])
    for number in range(MAX_ENTRIES + 3):
        book.keep(verdict(str(number), at=float(number)))
    assert set(opened(tmp_path, []).known) == {str(number) for number in range(3, MAX_ENTRIES + 3)}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b'{"version": 2, "verdicts": []}',
        b'{"version": 1, "verdicts": [{"place": 1}]}',
        b" " * (MAX_BYTES + 1),
    ],
)
def test_a_file_that_cannot_be_used_is_told_once_and_ignored(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    lines: list[str] = []
    book = opened(tmp_path, lines)
    book.keep(verdict("a"))
    assert (len(lines), "measured again" in lines[0]) == (1, True)
    assert set(opened(tmp_path, lines).known) == {"a"}
    assert len(lines) == 1


@pytest.mark.parametrize("figure", [-1.0, 1e300])
def test_figures_beyond_any_machine_are_not_believed(tmp_path: Path, figure: float) -> None:
    opened(tmp_path, []).keep(verdict("a", tps=figure))
    lines: list[str] = []
    assert opened(tmp_path, lines).known == {}
    assert "beyond any machine" in lines[0]


def test_unknown_fields_are_ignored(tmp_path: Path) -> None:
    opened(tmp_path, []).keep(verdict("a"))
    path = tmp_path / FILE_NAME
    content = json.loads(path.read_text())
    content["more"] = content["verdicts"][0]["verdict"]["more"] = 1
    path.write_text(json.dumps(content))
    assert set(opened(tmp_path, []).known) == {"a"}


def test_a_folder_that_cannot_be_written_is_told_and_the_verdict_counts_for_now(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    lines: list[str] = []
    book = opened(tmp_path / "file", lines)
    book.keep(verdict("a"))
    assert set(book.known) == {"a"}
    assert "cannot be written" in lines[-1]


def test_an_engine_that_was_built_anew_is_another_build(tmp_path: Path) -> None:
    library = tmp_path / "libllama.so"
    library.write_bytes(b"1")
    first = build(str(tmp_path))
    assert build(str(tmp_path)) == first
    library.write_bytes(b"12")
    assert build(str(tmp_path)) != first
    assert build("") == build(str(tmp_path / "none")) == first.split()[0]
