"""What the hub has counted since it started, for /metrics and /v1/status."""

from dataclasses import dataclass


@dataclass(slots=True)
class Tally:
    """Monotonic counters. `zombies` are frames of a job's older epoch: dropped, paid nothing.

    `given_back` are jobs that went on elsewhere because a machine's owner wanted it back.
    """

    jobs: int = 0
    completed: int = 0
    cancelled: int = 0
    failures: int = 0
    redispatched: int = 0
    tokens: int = 0
    zombies: int = 0
    breaches: int = 0
    evictions: int = 0
    given_back: int = 0
