"""What workers are owed: bounds and half-life of a deficit, and who is credited and debited for what was served.

Serving cost C credits everybody who could have served with C * capacity / sum(capacity) and debits the one that did
with C, so deficits sum to 0. They are kept in nanoseconds of the worker's own capacity: whole numbers, so that moving
from cell to cell changes nothing.
"""

from pool.routing.choose import NS

LIMIT_S = 600.0
LIMIT_NS = round(LIMIT_S * NS)
HALF_LIFE_S = 24 * 3600.0
LEVEL_EVERY_S = 5.0  # the mean is worked out
AGE_EVERY_S = 600.0  # 0.5 % of a deficit in one step


def clamped(deficit_ns: int) -> int:
    """At most 10 minutes of the worker's own capacity either way."""
    return max(-LIMIT_NS, min(LIMIT_NS, deficit_ns))


def aged(passed_s: float) -> float:
    """What is left of a deficit after a time: half after a day. A clock that goes back ages nothing."""
    return float(0.5 ** (max(0.0, passed_s) / HALF_LIFE_S))


class Ageing:
    """When deficits are levelled and when they grow old, by any steady clock."""

    def __init__(self) -> None:
        self._levelled_at: float | None = None
        self._aged_at: float | None = None

    def due(self, now: float) -> float | None:
        """The factor by which all deficits shrink now, 1 if they are to be levelled only, None if nothing is due."""
        if self._levelled_at is None or self._aged_at is None:
            self._levelled_at = self._aged_at = now
        if now - self._aged_at >= AGE_EVERY_S:
            factor = aged(now - self._aged_at)
            self._levelled_at = self._aged_at = now
            return factor
        if now - self._levelled_at < LEVEL_EVERY_S:
            return None
        self._levelled_at = now
        return 1.0
