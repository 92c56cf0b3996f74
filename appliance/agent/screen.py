"""What the volunteer sees: plain lines with the time, or on a terminal one calm picture of the whole screen."""

import io
import math
import os
import re
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TextIO

from rich.console import Console
from rich.control import Control
from rich.segment import ControlType
from rich.text import Text

from appliance.agent.board import Board
from appliance.agent.layout import ASCII, CONSOLE, Row, draw
from appliance.agent.types import Status
from appliance.agent.view import View, counts
from iamine.errors import IamineError
from iamine.oneline import printable

Clock = Callable[[], datetime]
PLAIN_EVERY_S = 10.0  # a busy worker tells its counts this often
LIVE_EVERY_S = 1.0
WHOLE_EVERY = 60  # drawings: then every row is written anew, should something else have written to the terminal
LAST_LINES = 5  # stay on the terminal when the picture goes
SERIAL = re.compile(r"/dev/(tty(S|AMA|USB|ACM|O|mxc|SAC)\d|hvc\d|console$)")  # slow, and often read by a program or a log
OUTSIDE_FONTS = re.compile(r"@font-face \{.*?\}", re.DOTALL)


class Screen(Protocol):
    """Where events and the status go; what a screen is to show beside them is told to its `board`."""

    every_s: float
    progress_every_s: float
    board: Board

    def say(self, line: str) -> None:
        """An event, in one line."""

    def show(self, status: Status) -> None:
        """The state of things, each `every_s`."""

    def close(self) -> None:
        """Leave the terminal in order."""


class PlainScreen:
    """Lines of time and event; the counts when they changed."""

    every_s = PLAIN_EVERY_S
    progress_every_s = PLAIN_EVERY_S

    def __init__(self, out: TextIO, now: Clock, board: Board | None = None) -> None:
        self._out = out
        self._now = now
        self._shown = ""
        self.board = board or Board(now, lambda: now().timestamp())

    def say(self, line: str) -> None:
        """Write the line with the time before it; a pool's words may be in it."""
        line = printable(line)
        self.board.say(line)
        self._write(line)

    def show(self, status: Status) -> None:
        """Write the counts if they changed and there are any."""
        self.board.view(status)
        line = counts(status)
        if line != self._shown and (status.running or status.jobs_done or status.jobs_failed):
            self._shown = line
            self._write(line)

    def close(self) -> None:
        """Nothing is open."""

    def _write(self, line: str) -> None:
        self._out.write(f"{self._now():%H:%M:%S} {line}\n")
        self._out.flush()


class LiveScreen:
    """The whole terminal, drawn by the layout; only rows that changed are written, so that nothing flickers."""

    every_s = LIVE_EVERY_S
    progress_every_s = math.inf  # a fetch has its place in the picture

    def __init__(self, console: Console, now: Clock, board: Board) -> None:
        self._console, self._now, self.board = console, now, board
        self._glyphs = CONSOLE if console.encoding.lower().startswith("utf") else ASCII
        self._drawn: tuple[Row, ...] = ()
        self._drawings = 0
        self._lock = threading.Lock()  # a fetch tells its lines in a thread
        console.set_alt_screen(True)
        console.show_cursor(False)

    def say(self, line: str) -> None:
        """Keep the line, and draw."""
        self.board.say(printable(line))
        self._draw(self.board.view())

    def show(self, status: Status) -> None:
        """Draw what has changed."""
        self._draw(self.board.view(status))

    def close(self) -> None:
        """Give the terminal back, with the last lines on it."""
        with self._lock:
            self._console.show_cursor(True)
            self._console.set_alt_screen(False)
        for line in self.board.view().lines[-LAST_LINES:]:
            self._console.print(Text(f"{line.at} ", style="dim") + Text(line.text), soft_wrap=True)

    def _draw(self, view: View) -> None:
        with self._lock:
            columns, rows = self._console.size
            drawn = draw(view, columns=columns, rows=rows, clock=f"{self._now():%H:%M}", glyphs=self._glyphs)
            whole = len(drawn) != len(self._drawn) or self._drawings % WHOLE_EVERY == 0
            if whole:
                self._console.control(Control.home(), Control.clear())
            for number, row in enumerate(drawn):
                if row if whole else row != self._drawn[number]:
                    self._console.control(Control((ControlType.CURSOR_MOVE_TO, 0, number), (ControlType.ERASE_IN_LINE, 2)))
                    self._console.print(_styled(row), end="", no_wrap=True, overflow="crop", crop=True)
            self._drawn, self._drawings = drawn, self._drawings + 1


def open_screen(out: TextIO, now: Clock, *, plain: bool, board: Board | None = None) -> Screen:
    """The picture for a terminal; plain lines for a serial line, for anything else, or when asked."""
    console, board = Console(file=out, highlight=False), board or Board(now, lambda: now().timestamp())
    if plain or not console.is_terminal or console.is_dumb_terminal or is_serial(terminal_name(out)):
        return PlainScreen(out, now, board)
    return LiveScreen(console, now, board)


def is_serial(name: str) -> bool:
    """Whether the terminal of this name is a serial line, or the console that may be one."""
    return SERIAL.match(name) is not None


def terminal_name(out: TextIO) -> str:
    """The device behind the stream; "" where there is none."""
    try:
        return os.ttyname(out.fileno())
    except (OSError, ValueError):  # io.UnsupportedOperation is both
        return ""


def picture(view: View, *, columns: int, rows: int, clock: str) -> str:
    """The screen as SVG text, with nothing in it that is loaded from elsewhere."""
    console = Console(file=io.StringIO(), record=True, width=columns, height=rows, force_terminal=True, highlight=False)
    for row in draw(view, columns=columns, rows=rows, clock=clock):
        console.print(_styled(row), no_wrap=True, overflow="crop")
    svg = console.export_svg(title="iamine worker", unique_id="iamine")
    svg = OUTSIDE_FONTS.sub("", svg).replace("Fira Code", "DejaVu Sans Mono")
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


def error_line(error: IamineError) -> str:
    """What happened and what to try, in one line."""
    return f"{error.message}; {error.hint}" if error.hint else error.message


def _styled(row: Row) -> Text:
    return Text.assemble(*((span.text, span.style) for span in row))
