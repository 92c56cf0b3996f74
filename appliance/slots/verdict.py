"""Pure: whether a slot on trial is kept, given up, or still watched."""

from dataclasses import dataclass
from enum import Enum

PATIENCE_S = 900.0  # from the moment the machine first had a way out


class Verdict(Enum):
    """What to do with the slot that runs."""

    KEEP = "keep"
    WATCH = "watch"
    GIVE_UP = "give up"  # reboot: that spends a try


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is known. `link_s`: seconds since the network came up for the first time, None before."""

    accepted: bool
    engine_ready: bool
    pool_reached_before: bool
    link_s: float | None


def verdict(seen: Seen, patience_s: float = PATIENCE_S) -> Verdict:
    """Kept once the pool took the worker; where no slot ever reached the pool, once the engine works and there is a link."""
    if seen.accepted:
        return Verdict.KEEP
    if seen.link_s is None:
        return Verdict.WATCH
    if not seen.pool_reached_before and seen.engine_ready:
        return Verdict.KEEP
    return Verdict.GIVE_UP if seen.link_s > patience_s else Verdict.WATCH
