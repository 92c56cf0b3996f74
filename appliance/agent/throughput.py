"""How fast tokens come: an exponentially weighted mean over busy time."""

import math
from dataclasses import dataclass

HALF_LIFE_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """Tokens and seconds, both fading with the same half-life; the rate is their ratio."""

    tokens: float = 0.0
    seconds: float = 0.0

    @property
    def rate_tps(self) -> float:
        """Tokens per second; 0 before anything was measured."""
        return self.tokens / self.seconds if self.seconds > 0 else 0.0

    def add(self, tokens: int, seconds: float) -> "Throughput":
        """The measure after `tokens` more in `seconds` (>= 0) more of busy time."""
        fade = math.pow(0.5, max(0.0, seconds) / HALF_LIFE_S)
        return Throughput(tokens=self.tokens * fade + tokens, seconds=self.seconds * fade + max(0.0, seconds))
