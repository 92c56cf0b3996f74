"""How a fetch is shown: a bar with rate and time to wait on a terminal, a plain line every few seconds elsewhere."""

from collections.abc import Callable
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn
from rich.progress import Progress as Bars
from rich.text import Text

from appliance.agent.fetch.rate import Rate, clock
from appliance.agent.fit import gigabytes
from appliance.agent.view import Download

PLAIN_EVERY_S = 10.0


class PlainProgress:
    """Lines; `now` gives monotonic seconds. `watch` is told at every step how far it is, and None at the end."""

    def __init__(
        self,
        say: Callable[[str], None],
        now: Callable[[], float],
        every_s: float = PLAIN_EVERY_S,
        watch: Callable[[Download | None], None] = lambda download: None,
    ) -> None:
        self._watch = watch
        self._say = say
        self._now = now
        self._every_s = every_s
        self._title, self._total = "", 0
        self._done: int | None = None
        self._heard_s = self._told_s = 0.0
        self._rate = Rate()

    @property
    def rate(self) -> Rate:
        """The rate of late."""
        return self._rate

    def begin(self, title: str, total_bytes: int) -> None:
        """Say which file, from where."""
        self._title, self._total, self._done = title, total_bytes, None
        self._heard_s = self._told_s = self._now()
        self._say(f"fetching {title} ({gigabytes(total_bytes)})")

    def advance(self, done_bytes: int) -> None:
        """Say how far it is, now and then. What was there before the first call is not counted as fetched."""
        now = self._now()
        if self._done is not None:
            self._rate = self._rate.add(max(0, done_bytes - self._done), now - self._heard_s)
        self._done, self._heard_s = done_bytes, now
        rate = self._rate.bytes_per_s
        self._watch(Download(title=self._title, done_bytes=done_bytes, total_bytes=self._total, bytes_per_s=rate))
        if now - self._told_s >= self._every_s:
            self._told_s = now
            self._say(f"{self._title}: {line(done_bytes, self._total, self.rate)}")

    def end(self) -> None:
        """It is over; nothing is open."""
        self._watch(None)

    def say(self, text: str) -> None:
        """Say it."""
        self._say(text)


class BarProgress:
    """One bar in place; lines scroll by above it."""

    def __init__(self, out: TextIO, now: Callable[[], float]) -> None:
        self._bars = Bars(
            TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TextColumn("{task.fields[rate]}"),
            console=Console(file=out), transient=True, auto_refresh=False,
        )  # fmt: skip
        self._plain = PlainProgress(lambda text: None, now)
        self._task: TaskID | None = None
        self._total = 0

    @property
    def rate(self) -> Rate:
        """The rate of late."""
        return self._plain.rate

    def begin(self, title: str, total_bytes: int) -> None:
        """Open the bar."""
        self._plain.begin(title, total_bytes)
        self._total = total_bytes
        self._bars.start()
        self._task = self._bars.add_task(title, total=total_bytes, rate="")

    def advance(self, done_bytes: int) -> None:
        """Draw it."""
        self._plain.advance(done_bytes)
        if self._task is not None:
            rate = self._plain.rate
            told = f"{gigabytes(rate.bytes_per_s)}/s, {clock(rate.left_s(self._total - done_bytes))} left"
            self._bars.update(self._task, completed=done_bytes, rate=told)
            self._bars.refresh()

    def end(self) -> None:
        """Take it away."""
        if self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None
        self._bars.stop()

    def say(self, text: str) -> None:
        """Print the line above the bar."""
        self._bars.console.print(Text(text))


def open_progress(out: TextIO, now: Callable[[], float]) -> PlainProgress | BarProgress:
    """A bar for a terminal, plain lines for anything else."""
    if Console(file=out).is_terminal:
        return BarProgress(out, now)
    return PlainProgress(lambda text: print(text, file=out, flush=True), now)


def line(done_bytes: int, total_bytes: int, rate: Rate) -> str:
    """How far it is: `1.2 GB of 4.0 GB, 30 %, 12 MB/s, 3:50 left`."""
    share = f"{100 * done_bytes // max(1, total_bytes)} %"
    left = clock(rate.left_s(total_bytes - done_bytes))
    return f"{gigabytes(done_bytes)} of {gigabytes(total_bytes)}, {share}, {gigabytes(rate.bytes_per_s)}/s, {left} left"
