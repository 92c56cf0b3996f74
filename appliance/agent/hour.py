"""The last hour in minutes: how many tokens came in each. Pure."""

from dataclasses import dataclass, replace

MINUTES = 60
MINUTE_S = 60.0
LEAST_S = 5.0  # a minute that has just begun is not judged by its first token


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """Tokens of each minute, the oldest first; `minute` is the number of the last one, `tokens` the count seen so far."""

    minutes: tuple[int, ...] = (0,) * MINUTES
    minute: int | None = None
    tokens: int = 0

    def seen(self, tokens: int, now_s: float) -> "Hour":
        """The counter stands at `tokens` at this time (monotonic seconds, never less than before)."""
        minute = int(now_s // MINUTE_S)
        passed = 0 if self.minute is None else min(MINUTES, max(0, minute - self.minute))
        moved = (*self.minutes[passed:], *((0,) * passed))
        came = max(0, tokens - self.tokens)
        return replace(self, minutes=(*moved[:-1], moved[-1] + came), minute=minute, tokens=tokens)

    def rates_tps(self, now_s: float) -> tuple[float, ...]:
        """Tokens per second of each minute; the last one is not over yet."""
        last_s = max(LEAST_S, now_s % MINUTE_S)
        return (*(count / MINUTE_S for count in self.minutes[:-1]), self.minutes[-1] / last_s)
