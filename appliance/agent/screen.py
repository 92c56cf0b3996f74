"""What the volunteer sees: plain lines with the time, or on a terminal a small live picture under them."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TextIO

from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from appliance.agent.types import Connecting, Linked, LinkState, Status, Unlinked
from iamine.errors import IamineError

Clock = Callable[[], datetime]
PLAIN_EVERY_S = 10.0  # a busy worker tells its counts this often
LIVE_EVERY_S = 0.5


class Screen(Protocol):
    """Where events and the status go."""

    every_s: float

    def say(self, line: str) -> None:
        """An event, in one line."""

    def show(self, status: Status) -> None:
        """The state of things, each `every_s`."""

    def close(self) -> None:
        """Leave the terminal in order."""


class PlainScreen:
    """Lines of time and event; the counts when they changed."""

    every_s = PLAIN_EVERY_S

    def __init__(self, out: TextIO, now: Clock) -> None:
        self._out = out
        self._now = now
        self._shown = ""

    def say(self, line: str) -> None:
        """Write the line with the time before it."""
        self._out.write(f"{self._now():%H:%M:%S} {line}\n")
        self._out.flush()

    def show(self, status: Status) -> None:
        """Write the counts if they changed and there are any."""
        line = counts(status)
        if line != self._shown and (status.running or status.jobs_done or status.jobs_failed):
            self._shown = line
            self.say(line)

    def close(self) -> None:
        """Nothing is open."""


class LiveScreen:
    """A panel that is drawn in place; events scroll by above it."""

    every_s = LIVE_EVERY_S

    def __init__(self, console: Console, now: Clock, why: Callable[[], str]) -> None:
        self._console = console
        self._now = now
        self._why = why
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._live.start()

    def say(self, line: str) -> None:
        """Print the line above the panel."""
        self._console.print(Text(f"{self._now():%H:%M:%S} ", style="dim") + Text(line))

    def show(self, status: Status) -> None:
        """Draw the panel anew."""
        self._live.update(panel(status, self._why()), refresh=True)

    def close(self) -> None:
        """Take the panel away."""
        self._live.stop()


def open_screen(out: TextIO, now: Clock, *, plain: bool, why: Callable[[], str]) -> Screen:
    """The picture for a terminal; plain lines for anything else, or when asked."""
    console = Console(file=out)
    if plain or not console.is_terminal or console.is_dumb_terminal:
        return PlainScreen(out, now)
    return LiveScreen(console, now, why)


def counts(status: Status) -> str:
    """Jobs and speed in one line."""
    parts = [f"{status.running} running", f"{status.jobs_done} done"]
    if status.jobs_failed:
        parts.append(f"{status.jobs_failed} failed")
    parts += [f"{status.tokens} tokens", f"{status.rate_tps:.1f} tokens/s"]
    state = status.resting or ("draining" if status.draining else "")
    return "jobs: " + ", ".join(parts) + (f" ({state})" if state else "")


def link_line(link: LinkState | None) -> tuple[str, str]:
    """The link in words, and its colour."""
    match link:
        case Linked():
            return f"linked to {link.pool or 'the pool'} as {link.worker}", "green"
        case Connecting():
            return f"connecting to {link.url}", "yellow"
        case Unlinked():
            return f"{link.reason}; next try in {link.retry_in_s:.0f} s", "red"
        case None:
            return "not linked yet", "yellow"


def panel(status: Status, why: str) -> Panel:
    """Model and why, link, jobs and speed."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for offer in status.models:
        table.add_row("model", f"{offer.model}, {offer.slots} x {offer.context_tokens} tokens")
    if why:
        table.add_row("why", Text(why, style="dim"))
    if status.resting:
        table.add_row("rest", Text(status.resting, style="yellow"))
    line, colour = link_line(status.link)
    table.add_row("pool", Text(line, style=colour))
    table.add_row("work", counts(status).removeprefix("jobs: "))
    if status.standing:
        table.add_row("waits", Text(status.standing))
    return Panel(table, title="IAMINE worker", title_align="left", expand=False)


def error_line(error: IamineError) -> str:
    """What happened and what to try, in one line."""
    return f"{error.message}; {error.hint}" if error.hint else error.message
