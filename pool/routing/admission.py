"""How much an account may ask for: two token buckets, one of requests and one of tokens, each full after a minute."""

from dataclasses import dataclass

from iamine.ids import AccountId
from iamine.wire.messages import Value

MINUTE_S = 60.0
MOST_IDLE = 10_000  # accounts remembered before those with full buckets are forgotten


@dataclass(slots=True)
class Bucket:
    """So much is left at that time; below zero is a debt, of an answer that was longer than expected."""

    left: float
    at_s: float

    def refill(self, limit: float, now: float) -> None:
        """It fills by limit / 60 a second. A clock that goes back fills nothing."""
        if now > self.at_s:
            self.left = min(limit, self.left + (now - self.at_s) * limit / MINUTE_S)
            self.at_s = now

    def wait_s(self, amount: float, limit: float) -> float:
        """Seconds until `amount` is there, 0 if it is. What is more than the whole bucket needs a full one."""
        return max(0.0, (min(amount, limit) - self.left) * MINUTE_S / limit)


class Allowance(Value, frozen=True, kw_only=True):
    """What is left of a limit, and in how many seconds all of it will be there again."""

    limit: int
    remaining: int
    reset_s: float


class Account(Value, frozen=True, kw_only=True):
    """What is left to one account."""

    requests: Allowance
    tokens: Allowance


class Admission:
    """The buckets of all accounts. Times are any steady clock's seconds."""

    def __init__(self, *, requests_per_minute: int, tokens_per_minute: int) -> None:
        self._limits = float(requests_per_minute), float(tokens_per_minute)
        self._buckets: dict[AccountId, tuple[Bucket, Bucket]] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def request(self, account: AccountId, now: float) -> float:
        """Take one request: 0 if it is allowed, else the seconds to wait; a refused one takes nothing.

        Whoever owes tokens waits too.
        """
        requests, tokens = self._at(account, now)
        wait = max(requests.wait_s(1, self._limits[0]), tokens.wait_s(0, self._limits[1]))
        if not wait:
            requests.left -= 1
        return wait

    def tokens(self, account: AccountId, estimate: int, now: float) -> float:
        """Take the estimated tokens of a request: 0 if there are so many, else the seconds to wait; then none is taken."""
        _, tokens = self._at(account, now)
        wait = tokens.wait_s(estimate, self._limits[1])
        if not wait:
            tokens.left -= estimate
        return wait

    def settle(self, account: AccountId, estimate: int, used: int, now: float) -> None:
        """The request is over: what it used counts, not what was estimated. A debt is at most the limit."""
        _, tokens = self._at(account, now)
        limit = self._limits[1]
        tokens.left = min(limit, max(-limit, tokens.left + estimate - used))

    def left(self, account: AccountId, now: float) -> Account:
        """What is left, to be told."""
        requests, tokens = self._at(account, now)
        return Account(requests=_told(requests, self._limits[0]), tokens=_told(tokens, self._limits[1]))

    def _at(self, account: AccountId, now: float) -> tuple[Bucket, Bucket]:
        """The account's buckets as they are now."""
        known = self._buckets.get(account)
        if known is None:
            self._make_room(now)
            known = self._buckets[account] = Bucket(self._limits[0], now), Bucket(self._limits[1], now)
        known[0].refill(self._limits[0], now)
        known[1].refill(self._limits[1], now)
        return known

    def _make_room(self, now: float) -> None:
        """Accounts whose buckets are full by now are as good as new ones."""
        if len(self._buckets) < MOST_IDLE:
            return
        for name in list(self._buckets):
            if all(bucket.left >= limit for bucket, limit in zip(self._at(name, now), self._limits, strict=True)):
                del self._buckets[name]


def _told(bucket: Bucket, limit: float) -> Allowance:
    reset_s = (limit - bucket.left) * MINUTE_S / limit
    return Allowance(limit=int(limit), remaining=max(0, int(bucket.left)), reset_s=reset_s)
