"""Pure: what is known -> the lines to show, as (label, text, kind)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["good", "plain", "dim", "bad"]
PROBLEMS_SHOWN = 5
LINES_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the picture."""

    label: str
    text: str
    kind: Kind = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What the console itself sees. `synchronized`: a time server was reached."""

    version: str
    hostname: str
    addresses: Sequence[str]
    memory_used_bytes: int
    memory_bytes: int
    uptime_s: float
    slot: str
    firmware: str
    synchronized: bool


def with_clock(start: Mapping[str, object], clock: Mapping[str, object]) -> Mapping[str, object]:
    """First boot's report with what was found out about the clock since."""
    if not clock.get("message"):
        return start
    return {**start, "problems": [*_problems(start), clock]}


def picture(machine: Machine, start: Mapping[str, object], status: Mapping[str, object]) -> tuple[Line, ...]:
    """The whole screen; the reports may be empty while things start."""
    lines = [
        Line("machine", f"{machine.hostname}, {_mb(machine.memory_used_bytes)} of {_mb(machine.memory_bytes)} MB in use"),
        Line("network", ", ".join(machine.addresses) or "no address yet: is the cable in?", _good(bool(machine.addresses))),
        _pool(start, status),
        *([Line("pool's key", str(status["fingerprint"]), "dim")] if status.get("fingerprint") else []),
        _models(status),
    ]
    claimed = _claim(status)
    if claimed.get("owner"):
        lines.append(Line("claim", f"claimed by {claimed['owner']}", "good"))
    elif claimed.get("code"):
        lines.append(Line("claim", f"code {claimed['code']} at {claimed.get('page', '')}"))
    if "done" in status:
        work = f"{status['running']} running, {status['done']} done, {status['tokens']} tokens, {status['rate_tps']} tokens/s"
        lines.append(Line("work", work))
    if start and not start.get("kept"):
        lines.append(Line("memory only", "nothing is kept when this machine goes off", "dim"))
    if start.get("in_memory") and start.get("disk"):
        lines.append(Line("stick", "the system runs from memory: the stick may be pulled out", "dim"))
    if start.get("recovery"):
        lines.append(Line("recovery", "a root shell is open on Alt+F2 and on the serial line, for this start only", "bad"))
    for problem in _problems(start, bool(status.get("linked")))[-PROBLEMS_SHOWN:]:
        lines.append(Line(str(problem.get("code")), str(problem.get("message")), "bad"))
        if problem.get("advice"):
            lines.append(Line("", f"try: {problem['advice']}", "dim"))
    lines += [Line("", str(line), "dim") for line in _list(status.get("lines"))[-LINES_SHOWN:]]
    return tuple(lines)


def qr(status: Mapping[str, object]) -> tuple[str, ...]:
    """The rows of the QR code by which the worker is claimed; none when there is nothing to claim."""
    return tuple(str(row) for row in _list(_claim(status).get("qr")))


def footer(machine: Machine, checked_by: object = "") -> str:
    """What stands under the picture. `checked_by`: who told the time where no time server did."""
    by_whom = ", the clock is the pool's" if checked_by == "pool" else ", clock not checked by a time server"
    clock = "" if machine.synchronized else by_whom
    return f"IAMINE {machine.version}, {machine.firmware}, slot {machine.slot}, up {machine.uptime_s / 60:.0f} min{clock}"


def plain(machine: Machine, start: Mapping[str, object], status: Mapping[str, object]) -> str:
    """The state in one line, for a serial line."""
    joined = "worker joined" if status.get("linked") else "not linked"
    codes = ",".join(str(problem.get("code")) for problem in _problems(start, bool(status.get("linked")))) or "none"
    models = "; ".join(str(each) for each in _list(status.get("models"))) or "none"
    network = ",".join(machine.addresses) or "none"
    claimed = _claim(status)
    claim = f"claimed by {claimed['owner']}" if claimed.get("owner") else f"claim code {claimed.get('code') or 'none'}"
    used, done = _mb(machine.memory_used_bytes), status.get("done", 0)
    link = status.get("link") or "the worker is starting"
    return (
        f"IAMINE {joined}: {link} | model {models} | done {done} | address {network} | memory {used} MB"
        f" | {machine.firmware} | slot {machine.slot} | {claim} | problems {codes}"
    )


def _pool(start: Mapping[str, object], status: Mapping[str, object]) -> Line:
    if status.get("link"):
        return Line("pool", str(status["link"]), _good(bool(status.get("linked"))))
    if start and not start.get("pool"):
        return Line("pool", "none is set: looking for one on the local network", "bad")
    return Line("pool", f"{start.get('pool', '')}: the worker is starting".removeprefix(": "), "dim")


def _models(status: Mapping[str, object]) -> Line:
    models = [str(each) for each in _list(status.get("models"))]
    return Line("model", "; ".join(models) or "none loaded yet", "plain" if models else "dim")


def _problems(start: Mapping[str, object], linked: bool = False) -> list[Mapping[str, object]]:
    """What first boot told, less what has become untrue: a pool was found after all."""
    told = [each for each in _list(start.get("problems")) if isinstance(each, Mapping)]
    return [each for each in told if not (linked and each.get("code") == "E-POOL")]


def _claim(status: Mapping[str, object]) -> Mapping[str, object]:
    found = status.get("claim")
    return found if isinstance(found, Mapping) else {}


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else ()


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.0f}"


def _good(fine: bool) -> Kind:
    return "good" if fine else "bad"
