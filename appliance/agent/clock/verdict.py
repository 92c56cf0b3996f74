"""Pure: what to do about the clock, and what to tell."""

from dataclasses import dataclass

CODE = "E-CLOCK"
FINE_S = 2.0  # certificates and prices do not care
TOLD_S = 120.0  # from here on something is wrong with the machine
_UNITS = ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes"))
BATTERY = "the battery on the main board may be empty; the machine works all the same"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """`move_s`: by how much to move the clock (0: not at all); a message where a person should know, and what to do."""

    by: str
    move_s: float = 0.0
    message: str = ""
    advice: str = ""


def by_pool(ahead_s: float) -> Checked:
    """The pool's clock is so far ahead of ours."""
    if abs(ahead_s) <= FINE_S:
        return Checked(by="pool")
    if abs(ahead_s) < TOLD_S:
        return Checked(by="pool", move_s=ahead_s)
    behind = "behind" if ahead_s > 0 else "ahead"
    message = f"no time server answers and the clock was {span(ahead_s)} {behind}: it is set to the pool's time"
    return Checked(by="pool", move_s=ahead_s, message=message, advice=BATTERY)


def unknown(reason: str, advice: str) -> Checked:
    """Neither a time server nor the pool told the time."""
    return Checked(by="", message=f"the clock could not be checked: {reason}", advice=advice)


def span(seconds: float) -> str:
    """A length of time for people."""
    for unit_s, name in _UNITS:
        if abs(seconds) >= 2 * unit_s:
            return f"{abs(seconds) / unit_s:.0f} {name}"
    return f"{abs(seconds):.0f} seconds"
