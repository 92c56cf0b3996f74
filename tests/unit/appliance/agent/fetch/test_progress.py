"""A fetch is shown by lines, or by a bar on a terminal."""

import io

import pytest

from appliance.agent.fetch.progress import BarProgress, PlainProgress, open_progress
from appliance.agent.view import Download


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_lines_come_every_few_seconds_with_rate_and_time_to_wait() -> None:
    lines: list[str] = []
    clock = Clock()
    progress = PlainProgress(lines.append, clock, every_s=10)
    progress.begin("m.gguf from there", 400_000_000)
    for second in range(0, 21, 5):
        clock.now = float(second)
        progress.advance(100_000_000 + 5_000_000 * second)
    progress.end()
    progress.say("done")
    assert lines == [
        "fetching m.gguf from there (400 MB)",
        "m.gguf from there: 150 MB of 400 MB, 37 %, 5 MB/s, 0:50 left",
        "m.gguf from there: 200 MB of 400 MB, 50 %, 5 MB/s, 0:40 left",
        "done",
    ]


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    out, clock = Screen(), Clock()
    progress = open_progress(out, clock)
    assert isinstance(progress, BarProgress)
    progress.begin("m.gguf", 4_000_000)
    progress.advance(0)
    clock.now = 1.0
    progress.advance(1_000_000)
    progress.say("a line [not markup]")
    progress.end()
    progress.end()
    assert "1 MB/s, 0:03 left" in out.getvalue()
    assert "a line [not markup]" in out.getvalue()
    assert progress.rate.bytes_per_s == pytest.approx(1e6)


def test_anything_else_gets_lines() -> None:
    out = io.StringIO()
    progress = open_progress(out, Clock())
    assert isinstance(progress, PlainProgress)
    progress.say("hello")
    assert out.getvalue() == "hello\n"


def test_whoever_watches_is_told_each_step_and_the_end() -> None:
    seen: list[Download | None] = []
    clock = Clock()
    progress = PlainProgress(lambda line: None, clock, watch=seen.append)
    progress.begin("m", 100)
    progress.advance(10)
    clock.now = 2.0
    progress.advance(30)
    progress.end()
    assert seen == [
        Download(title="m", done_bytes=10, total_bytes=100),
        Download(title="m", done_bytes=30, total_bytes=100, bytes_per_s=10.0),
        None,
    ]
