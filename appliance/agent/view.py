"""What the volunteer is to see, as one frozen value: the screen draws it, `iamine status --json` tells it. Pure."""

from dataclasses import dataclass
from typing import Literal

from appliance.agent.qr import half_blocks
from appliance.agent.types import Connecting, Linked, LinkState, Slot, Status, Unlinked

Light = Literal["green", "yellow", "red"]
MAX_PROBLEMS = 3
MAX_LINES = 40
MAX_LINE_CHARACTERS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A model file on its way; `bytes_per_s` is the rate of late, 0.0 before it was measured."""

    title: str
    done_bytes: int
    total_bytes: int
    bytes_per_s: float = 0.0

    @property
    def left_s(self) -> float | None:
        """Seconds to the end; None while nobody can tell."""
        return (self.total_bytes - self.done_bytes) / self.bytes_per_s if self.bytes_per_s > 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """A temperature or a power and whose it is ("CPU", "GPU", "machine"); what is not told is None."""

    name: str
    celsius: float | None = None
    watts: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Something that happened, with the time of day."""

    at: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What went wrong and what to do about it."""

    at: str
    text: str
    advice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A loaded model: `context_tokens` are per slot."""

    model: str
    kind: str
    slots: int
    context_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Whose this worker is (`owner`, an account's name), or the code to take it by, where, and the same as a QR code.

    `qr` are rows of half blocks, to be drawn white on black; none where the address is too long for a small code.
    """

    owner: str = ""
    code: str = ""
    page: str = ""
    qr: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The whole screen. `hour_tps` is the speed in each of the last 60 minutes, the oldest first; counts are since the start.

    `state` is why no job is taken, "" when it is. `claim` is None while the pool has said nothing of it; `course` is what was
    made of what the pool lacks. Earnings will be a field of this when the pool gives them.
    """

    machine: str = ""
    models: tuple[Served, ...] = ()
    why: tuple[str, ...] = ()
    link: str = ""
    light: Light = "yellow"
    state: str = ""
    standing: str = ""
    download: Download | None = None
    slots: tuple[Slot, ...] = ()
    running: int = 0
    jobs_done: int = 0
    jobs_failed: int = 0
    tokens: int = 0
    rate_tps: float = 0.0
    hour_tps: tuple[float, ...] = ()
    gauges: tuple[Gauge, ...] = ()
    problems: tuple[Problem, ...] = ()
    lines: tuple[Line, ...] = ()
    claim: Claim | None = None
    course: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was said to the screen beside the status; `claim_page` is where a code is to be typed."""

    machine: str = ""
    claim_page: str = ""
    why: tuple[str, ...] = ()
    download: Download | None = None
    gauges: tuple[Gauge, ...] = ()
    hour_tps: tuple[float, ...] = ()
    problems: tuple[Problem, ...] = ()
    lines: tuple[Line, ...] = ()


def view(status: Status, told: Told) -> View:
    """Status and what was told, as one picture."""
    link, light = link_line(status.link)
    return View(
        machine=told.machine,
        models=tuple(
            Served(model=offer.model, kind=offer.kind, slots=offer.slots, context_tokens=offer.context_tokens)
            for offer in status.models
        ),
        why=told.why,
        link=link,
        light=light,
        state=status.resting or ("draining: takes no new jobs" if status.draining else ""),
        standing=status.standing,
        download=told.download,
        slots=status.slots,
        running=status.running,
        jobs_done=status.jobs_done,
        jobs_failed=status.jobs_failed,
        tokens=status.tokens,
        rate_tps=round(status.rate_tps, 2),
        hour_tps=tuple(round(rate, 2) for rate in told.hour_tps),
        gauges=told.gauges,
        problems=told.problems[-MAX_PROBLEMS:],
        lines=told.lines[-MAX_LINES:],
        claim=claim(status.owner, status.claim_code, told.claim_page),
        course=status.course,
    )


def claim(owner: str, code: str, page: str) -> Claim | None:
    """Whose the worker is, or how to take it; None while neither is known."""
    if owner:
        return Claim(owner=owner)
    return Claim(code=code, page=page, qr=half_blocks(f"{page}#{code}") if page else ()) if code else None


def claim_line(said: Claim) -> str:
    """The same in words."""
    if said.owner:
        return f"claimed by {said.owner}"
    return f"{said.code} at {said.page}" if said.page else f"iamine claim {said.code}"


def link_line(link: LinkState | None) -> tuple[str, Light]:
    """The link in words, and its light. The time to the next attempt is left out, for the picture stands still."""
    match link:
        case Linked():
            return f"linked to {link.pool or 'the pool'} as {link.worker}", "green"
        case Connecting():
            return f"connecting to {link.url}", "yellow"
        case Unlinked():
            return f"{link.reason}; next try in {link.retry_in_s:.0f} s", "red"
        case None:
            return "not linked yet", "yellow"


def counts(status: Status) -> str:
    """Jobs and speed in one line."""
    state = status.resting or ("draining" if status.draining else "")
    done = work_line(status.running, status.jobs_done, status.jobs_failed, status.tokens, status.rate_tps)
    return f"jobs: {done}" + (f" ({state})" if state else "")


def work_line(running: int, done: int, failed: int, tokens: int, rate_tps: float) -> str:
    """Counts in words; failures only where there are any."""
    parts = [f"{running} running", f"{done} done"]
    if failed:
        parts.append(f"{failed} failed")
    return ", ".join([*parts, f"{tokens} tokens", f"{rate_tps:.1f} tokens/s"])
