"""How many requests of one account run at once."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from iamine.ids import AccountId
from pool.errors import RateLimited


class Gate:
    """Counts running requests per account."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._running: Counter[AccountId] = Counter()

    @contextmanager
    def enter(self, account: AccountId) -> Iterator[None]:
        """Hold a place while the request runs. Raises RateLimited when all are taken."""
        if self._running[account] >= self._limit:
            raise RateLimited(f"This key has {self._limit} requests running already: wait until one has ended.")
        self._running[account] += 1
        try:
            yield
        finally:
            self._running[account] -= 1
            if not self._running[account]:
                del self._running[account]
