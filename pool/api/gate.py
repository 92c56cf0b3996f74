"""How much one account may ask for: how many requests at once, and how many requests and tokens a minute."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from iamine.ids import AccountId
from pool.errors import RateLimited
from pool.routing.admission import Admission

HEADERS = tuple(f"x-ratelimit-{what}-{of}" for of in ("requests", "tokens") for what in ("limit", "remaining", "reset"))


class Gate:
    """Counts running requests per account, and asks the buckets for the rest."""

    def __init__(self, limit: int, admission: Admission, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._admission = admission
        self._clock = clock
        self._running: Counter[AccountId] = Counter()

    def enter(self, account: AccountId) -> None:
        """Take a place until `leave`. Raises RateLimited when all are taken, or too many came this minute."""
        if self._running[account] >= self._limit:
            raise RateLimited(f"This key has {self._limit} requests running already: wait until one has ended.")
        self._check(self._admission.request(account, self._clock()), "requests")
        self._running[account] += 1

    def leave(self, account: AccountId) -> None:
        """Give the place back."""
        self._running[account] -= 1
        if not self._running[account]:
            del self._running[account]

    @contextmanager
    def place(self, account: AccountId) -> Iterator[None]:
        """A place while the block runs. Raises RateLimited."""
        self.enter(account)
        try:
            yield
        finally:
            self.leave(account)

    def spend(self, account: AccountId, estimate: int) -> None:
        """Take the tokens that a request is expected to read. Raises RateLimited."""
        self._check(self._admission.tokens(account, estimate, self._clock()), "tokens")

    def settle(self, account: AccountId, estimate: int, used: int) -> None:
        """The request is over: count what it read and wrote instead of the estimate."""
        self._admission.settle(account, estimate, used, self._clock())

    def headers(self, account: AccountId) -> Mapping[str, str]:
        """What is left, by OpenAI's header names; a reset is when all of it will be there again."""
        left = self._admission.left(account, self._clock())
        values = [
            text for one in (left.requests, left.tokens) for text in (str(one.limit), str(one.remaining), f"{one.reset_s:.3f}s")
        ]
        return dict(zip(HEADERS, values, strict=True))

    def _check(self, wait_s: float, what: str) -> None:
        if wait_s:
            message = f"Rate limit reached: too many {what} a minute. Try again in {wait_s:.1f} s."
            raise RateLimited(message, retry_after_s=wait_s)
