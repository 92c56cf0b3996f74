"""What a person sees of a child's log."""

from pathlib import Path

from iamine import logtail
from iamine.logtail import LogTail, last_error, worth_showing


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_only_warnings_and_errors_are_worth_showing() -> None:
    lines = ["INFO all is well", "12:00 WARNING hot", "error: no", "try: yes", "an ERRORLIKE word", "CRITICAL end"]
    assert worth_showing(lines) == ["12:00 WARNING hot", "error: no", "try: yes", "CRITICAL end"]


def test_the_last_error_has_its_hint() -> None:
    assert last_error(["error: old", "try: x", "error: port 1 is in use", "try: --port 2"]) == "port 1 is in use\n--port 2"


def test_a_log_without_errors_has_no_last_error() -> None:
    assert last_error(["INFO fine"]) == ""


def test_news_are_told_once_and_only_whole_lines(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("ERROR before we looked\n")
    tail = LogTail(log)
    assert tail.news() == []
    append(log, "ERROR one\nERROR tw")
    assert tail.news() == ["ERROR one"]
    append(log, "o\n")
    assert tail.news() == ["ERROR two"]
    assert tail.news() == []


def test_a_log_that_was_cut_is_read_from_its_start(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("ERROR a long line before\n")
    tail = LogTail(log)
    log.write_text("ERROR new\n")
    assert tail.news() == ["ERROR new"]


def test_a_long_log_moves_aside(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(b"x" * (logtail.MAX_LOG_BYTES + 1))
    LogTail(log).trim()
    assert log.stat().st_size == 0
    assert (tmp_path / "a.log.1").stat().st_size == logtail.MAX_LOG_BYTES + 1


def test_a_storm_of_warnings_is_bounded(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    tail = LogTail(log)
    append(log, "WARNING again\n" * 1000)
    assert len(tail.news()) == logtail.MAX_NEWS


def test_a_missing_log_has_no_news(tmp_path: Path) -> None:
    tail = LogTail(tmp_path / "none.log")
    assert tail.news() == []
    assert tail.last_error() == ""
