"""When to try the pool again: exponential back-off with full jitter.

Source: AWS Architecture Blog, "Exponential Backoff And Jitter", 2015.
"""

BASE_S = 1.0
CAP_S = 30.0
LONGEST_S = 3600.0  # whatever a pool asks for: it may have meant it for another day


def delay_s(failures: int, random: float, *, retry_after_s: float = 0.0) -> float:
    """Seconds to wait after `failures` attempts that failed in a row (0: none yet, go at once).

    `random` is uniform in [0, 1). The pool's `retry_after_s` is the least wait; jitter is added on top of it, so that
    a pool that sends everybody away is not met by everybody at the same moment.
    """
    if failures <= 0 and retry_after_s <= 0:
        return 0.0
    ceiling = min(CAP_S, BASE_S * 2.0 ** min(max(failures, 1) - 1, 16))
    return min(max(0.0, retry_after_s), LONGEST_S) + random * ceiling
