"""What was told to the screen until now: it is kept here, whoever draws it."""

from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime

from appliance.agent.hour import Hour
from appliance.agent.types import Status, Unlinked
from appliance.agent.view import MAX_LINE_CHARACTERS, MAX_LINES, MAX_PROBLEMS, Download, Gauge, Line, Problem, Told, View, view
from iamine.errors import IamineError

LINK_ADVICE = "the next try comes by itself; if this lasts: iamine doctor checks network and pool"
FAILURE_ADVICE = {
    "engine_lost": "the engine is started again by itself; if it repeats: iamine doctor, or a smaller model with --model",
    "context_overflow": "nothing to do: the request was too long for this model",
}
OTHER_ADVICE = "nothing to do for one request; if it repeats: iamine doctor"
NOTHING = Status(models=(), link=None, running=0, jobs_done=0, jobs_failed=0, tokens=0, rate_tps=0.0, draining=False)


def no_gauges() -> tuple[Gauge, ...]:
    """Where nobody reads sensors."""
    return ()


class Board:
    """Owns what is shown. `now` gives local time, `clock` monotonic seconds, `gauges` the sensors as last read.

    `fetching` may be called in another thread.
    """

    def __init__(
        self,
        now: Callable[[], datetime],
        clock: Callable[[], float],
        gauges: Callable[[], tuple[Gauge, ...]] = no_gauges,
    ) -> None:
        self._now, self._clock, self._gauges = now, clock, gauges
        self._lines: deque[Line] = deque(maxlen=MAX_LINES)
        self._problems: deque[Problem] = deque(maxlen=MAX_PROBLEMS)
        self._machine = self.claim_page = ""
        self._why: tuple[str, ...] = ()
        self._download: Download | None = None
        self._hour = Hour()
        self._status = NOTHING

    def say(self, line: str) -> None:
        """Keep an event."""
        self._lines.append(Line(at=f"{self._now():%H:%M:%S}", text=line[:MAX_LINE_CHARACTERS]))

    def warn(self, text: str, advice: str = "") -> None:
        """Keep a problem; the same one again takes the place of the one before."""
        known = [each for each in self._problems if each.text == text]
        if known:
            self._problems.remove(known[0])
        self._problems.append(Problem(at=f"{self._now():%H:%M}", text=text[:MAX_LINE_CHARACTERS], advice=advice))

    def failed(self, error: IamineError) -> None:
        """Keep an error as a problem, with what it says to try."""
        self.warn(error.message, error.hint)

    def about(self, machine: str) -> None:
        """Which machine this is."""
        self._machine = machine

    def claimed_at(self, page: str) -> None:
        """Where a person types the code by which this worker is claimed."""
        self.claim_page = page

    def chosen(self, reasons: Sequence[str]) -> None:
        """Why the models that serve were chosen."""
        self._why = tuple(reasons)

    def fetching(self, download: Download | None) -> None:
        """How far a fetch is; None: there is none."""
        self._download = download

    def view(self, status: Status | None = None) -> View:
        """All of it with this status, or the last one that was given."""
        if status is not None:
            self._note(status)
        now_s = self._clock()
        self._hour = self._hour.seen(self._status.tokens, now_s)
        told = Told(
            machine=self._machine,
            claim_page=self.claim_page,
            why=self._why,
            download=self._download,
            gauges=self._gauges(),
            hour_tps=self._hour.rates_tps(now_s),
            problems=tuple(self._problems),
            lines=tuple(self._lines),
        )
        return view(self._status, told)

    def _note(self, status: Status) -> None:
        """What got worse since the last status is a problem."""
        before, self._status = self._status, status
        if isinstance(status.link, Unlinked) and status.link != before.link:
            self.warn(status.link.reason, LINK_ADVICE)
        if status.jobs_failed > before.jobs_failed:
            advice = FAILURE_ADVICE.get(status.last_failure, OTHER_ADVICE)
            self.warn(f"a job failed: {status.last_failure or 'for an unknown reason'}", advice)
