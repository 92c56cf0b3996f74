"""How much an account may ask for: two token buckets, one of requests and one of tokens, each full after a minute."""

from dataclasses import dataclass, replace

from iamine.ids import AccountId

MINUTE_S = 60.0
MOST_IDLE = 10_000  # accounts remembered before those with full buckets are forgotten


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """So much was left at that time; below zero is a debt, of an answer that was longer than expected."""

    left: float
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What is left of a limit, and in how many seconds all of it will be there again."""

    limit: int
    remaining: int
    reset_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What is left to one account."""

    requests: Allowance
    tokens: Allowance


def refilled(bucket: Bucket, limit: int, now: float) -> Bucket:
    """The bucket at `now`: it fills by limit / 60 a second. A clock that goes back fills nothing."""
    gained = max(0.0, now - bucket.at_s) * limit / MINUTE_S
    return Bucket(left=min(float(limit), bucket.left + gained), at_s=max(now, bucket.at_s))


def wait_s(bucket: Bucket, amount: float, limit: int) -> float:
    """Seconds until `amount` is there, 0 if it is. What is more than the whole bucket needs a full one."""
    return max(0.0, (min(amount, float(limit)) - bucket.left) * MINUTE_S / limit)


class Admission:
    """The buckets of all accounts. Times are any steady clock's seconds."""

    def __init__(self, *, requests_per_minute: int, tokens_per_minute: int) -> None:
        self._limits = requests_per_minute, tokens_per_minute
        self._buckets: dict[AccountId, tuple[Bucket, Bucket]] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def request(self, account: AccountId, now: float) -> float:
        """Take one request: 0 if it is allowed, else the seconds to wait; a refused one takes nothing.

        Whoever owes tokens waits too.
        """
        requests, tokens = self._at(account, now)
        wait = max(wait_s(requests, 1, self._limits[0]), wait_s(tokens, 0, self._limits[1]))
        if not wait:
            self._keep(account, replace(requests, left=requests.left - 1), tokens, now)
        return wait

    def tokens(self, account: AccountId, estimate: int, now: float) -> float:
        """Take the estimated tokens of a request: 0 if there are so many, else the seconds to wait; then none is taken."""
        requests, tokens = self._at(account, now)
        wait = wait_s(tokens, estimate, self._limits[1])
        if not wait:
            self._keep(account, requests, replace(tokens, left=tokens.left - estimate), now)
        return wait

    def settle(self, account: AccountId, estimate: int, used: int, now: float) -> None:
        """The request is over: what it used counts, not what was estimated. A debt is at most the limit."""
        requests, tokens = self._at(account, now)
        limit = float(self._limits[1])
        left = min(limit, max(-limit, tokens.left + estimate - used))
        self._keep(account, requests, replace(tokens, left=left), now)

    def left(self, account: AccountId, now: float) -> Account:
        """What is left, to be told."""
        requests, tokens = self._at(account, now)
        return Account(requests=_told(requests, self._limits[0]), tokens=_told(tokens, self._limits[1]))

    def _at(self, account: AccountId, now: float) -> tuple[Bucket, Bucket]:
        known = self._buckets.get(account)
        if known is None:
            return Bucket(left=float(self._limits[0]), at_s=now), Bucket(left=float(self._limits[1]), at_s=now)
        return refilled(known[0], self._limits[0], now), refilled(known[1], self._limits[1], now)

    def _keep(self, account: AccountId, requests: Bucket, tokens: Bucket, now: float) -> None:
        if account not in self._buckets and len(self._buckets) >= MOST_IDLE:
            for name in list(self._buckets):
                if all(bucket.left >= limit for bucket, limit in zip(self._at(name, now), self._limits, strict=True)):
                    del self._buckets[name]
        self._buckets[account] = requests, tokens


def _told(bucket: Bucket, limit: int) -> Allowance:
    return Allowance(limit=limit, remaining=max(0, int(bucket.left)), reset_s=(limit - bucket.left) * MINUTE_S / limit)
