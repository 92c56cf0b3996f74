"""What the volunteer sees."""

import io
import os
import pty
from collections.abc import Iterator
from datetime import datetime, timezone
from xml.etree import ElementTree

import pytest
from rich.console import Console

from appliance.agent.board import Board
from appliance.agent.screen import LiveScreen, PlainScreen, error_line, is_serial, open_screen, picture, terminal_name
from appliance.agent.types import Linked, Status
from appliance.agent.view import View
from iamine.errors import IamineError
from iamine.ids import ModelId, SessionId, WorkerId
from iamine.wire.messages import ModelOffer

LINKED = Linked(pool="p", fingerprint="f", worker=WorkerId("wrk_1"), session=SessionId("s"))
OFFER = ModelOffer(model=ModelId("mote"), file_sha256="", slots=8, context_tokens=1024, vocabulary_tokens=1)


def noon() -> datetime:
    return datetime(2026, 11, 22, 12, 0, 1, tzinfo=timezone.utc)


def status(*, done: int = 0) -> Status:
    return Status(
        models=(OFFER,), link=LINKED, running=0, jobs_done=done, jobs_failed=0, tokens=7, rate_tps=1.26, draining=False
    )  # fmt: skip


@pytest.fixture
def terminal() -> Iterator[tuple[LiveScreen, io.StringIO]]:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, height=25, color_system="standard")
    screen = LiveScreen(console, noon, Board(noon, lambda: 0.0))
    yield screen, out
    screen.close()


def written(out: io.StringIO) -> str:
    said = out.getvalue()
    out.seek(0)
    out.truncate()
    return said


def test_a_plain_line_has_its_time() -> None:
    out = io.StringIO()
    PlainScreen(out, noon).say("linked")
    assert out.getvalue() == "12:00:01 linked\n"


def test_what_a_pool_says_cannot_move_the_cursor() -> None:
    out = io.StringIO()
    PlainScreen(out, noon).say("drained: \x1b[2J\nforged")
    assert out.getvalue() == "12:00:01 drained: \\x1b[2J\\nforged\n"
    live = io.StringIO()
    screen = LiveScreen(Console(file=live, force_terminal=True, width=80, height=25), noon, Board(noon, lambda: 0.0))
    screen.say("drained: \x1b]0;owned\x07")
    screen.close()
    assert "\x1b]0;" not in live.getvalue() and "\x07" not in live.getvalue()


def test_counts_are_told_when_they_changed_and_there_are_any() -> None:
    out = io.StringIO()
    screen = PlainScreen(out, noon)
    for each in (status(), status(done=1), status(done=1), status(done=2)):
        screen.show(each)
    screen.close()
    assert len(out.getvalue().splitlines()) == 2
    assert screen.board.view().jobs_done == 2


def test_a_terminal_gets_the_picture_and_only_what_changes_afterwards(terminal: tuple[LiveScreen, io.StringIO]) -> None:
    screen, out = terminal
    screen.show(status(done=4))
    first = written(out)
    assert "\x1b[?1049h" in first and "4 done" in first and "linked to p" in first
    screen.show(status(done=4))
    assert written(out) == ""
    screen.show(status(done=5))
    changed = written(out)
    assert "5 done" in changed and "linked to p" not in changed


def test_lines_are_kept_and_stay_when_the_picture_goes(terminal: tuple[LiveScreen, io.StringIO]) -> None:
    screen, out = terminal
    screen.say("[an event]")
    assert "[an event]" in written(out)
    screen.close()
    left = written(out)
    assert "[an event]" in left.partition("\x1b[?1049l")[2]


def test_all_is_drawn_anew_when_the_terminal_has_another_size(terminal: tuple[LiveScreen, io.StringIO]) -> None:
    screen, out = terminal
    screen.show(status())
    written(out)
    screen._console.size = screen._console.size._replace(height=12)  # type: ignore[misc]
    screen.show(status())
    assert "linked to p" in written(out)


def test_without_colours_and_without_utf_8_it_is_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii", errors="strict")
    screen = LiveScreen(Console(file=out, force_terminal=True, width=80, height=25), noon, Board(noon, lambda: 0.0))
    screen.show(status(done=4))
    screen.close()
    out.flush()
    said = raw.getvalue().decode("ascii")
    assert "4 done" in said and "\x1b[32m" not in said and "\x1b[31m" not in said


def test_without_a_terminal_lines_are_plain() -> None:
    assert isinstance(open_screen(io.StringIO(), noon, plain=False), PlainScreen)


def test_a_terminal_is_drawn_on_and_a_serial_line_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "linux")
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb"), os.fdopen(theirs, "w") as out:
        assert terminal_name(out).startswith("/dev/")
        screen = open_screen(out, noon, plain=False)
        screen.close()
        assert isinstance(screen, LiveScreen)
        assert isinstance(open_screen(out, noon, plain=True), PlainScreen)
    assert [is_serial(f"/dev/{name}") for name in ("ttyS0", "ttyAMA0", "hvc0", "console")] == [True] * 4
    assert [is_serial(name) for name in ("/dev/tty1", "/dev/pts/3", "")] == [False] * 3


def test_the_picture_is_svg_that_loads_nothing_from_elsewhere() -> None:
    svg = picture(View(link="linked to p", light="green"), columns=80, rows=25, clock="12:00")
    said = "".join(ElementTree.fromstring(svg).itertext())
    assert "linked" in said and "IAMINE" in said
    assert "url(http" not in svg and "@font-face" not in svg


def test_an_error_is_one_line_with_what_to_try() -> None:
    assert error_line(IamineError("broken", hint="mend it")) == "broken; mend it"
    assert error_line(IamineError("broken")) == "broken"
