"""How fast bytes come and when the last one is due. Pure."""

import math
from dataclasses import dataclass

HALF_LIFE_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Bytes and seconds, both fading with the same half-life; their ratio is the rate."""

    bytes: float = 0.0
    seconds: float = 0.0

    @property
    def bytes_per_s(self) -> float:
        """0.0 before anything was measured."""
        return self.bytes / self.seconds if self.seconds > 0 else 0.0

    def add(self, count: int, seconds: float) -> "Rate":
        """After `count` bytes more in `seconds` (>= 0) more."""
        fade = math.pow(0.5, seconds / HALF_LIFE_S)
        return Rate(bytes=self.bytes * fade + count, seconds=self.seconds * fade + seconds)

    def left_s(self, left_bytes: int) -> float | None:
        """Seconds to the end; None while nobody can tell."""
        return left_bytes / self.bytes_per_s if self.bytes_per_s > 0 else None


def clock(seconds: float | None) -> str:
    """A time to wait for people: `1:05:09`, `5:09`, or `?`."""
    if seconds is None or seconds > 100 * 3600:
        return "?"
    whole = math.ceil(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
