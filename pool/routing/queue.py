"""Fair first-in-first-out: whoever has the fewest jobs running goes next, the oldest first among equals."""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from iamine.ids import AccountId, JobId


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A queued job: its account and its place in the order of arrival."""

    job: JobId
    account: AccountId
    ticket: int


class FairQueue:
    """Jobs of one model, a line per account. A job that lost its worker goes to the front of all lines."""

    def __init__(self) -> None:
        self._lines: OrderedDict[AccountId, deque[Waiting]] = OrderedDict()
        self._front: deque[Waiting] = deque()
        self._waiting: dict[JobId, Waiting] = {}
        self._tickets = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, job: JobId) -> bool:
        return job in self._waiting

    def push(self, job: JobId, account: AccountId, *, front: bool = False) -> None:
        """Join the end of the account's line, or the end of those that go before everybody."""
        self._tickets += 1
        waiting = Waiting(job=job, account=account, ticket=self._tickets)
        self._waiting[job] = waiting
        if front:
            self._front.append(waiting)
        else:
            self._lines.setdefault(account, deque()).append(waiting)

    def remove(self, job: JobId) -> bool:
        """Leave the queue; False when it was not there."""
        waiting = self._waiting.pop(job, None)
        if waiting is None:
            return False
        if waiting in self._front:
            self._front.remove(waiting)
            return True
        line = self._lines[waiting.account]
        line.remove(waiting)
        if not line:
            del self._lines[waiting.account]
        return True

    def lengths(self) -> Iterator[tuple[AccountId, int]]:
        """How many jobs each account has in its line; those at the front of all lines are in none."""
        return ((account, len(line)) for account, line in self._lines.items())

    def order(self, running: Callable[[AccountId], int]) -> Iterator[JobId]:
        """All jobs in the order in which they would go if slots came free now, given the jobs each account runs."""
        if len(self._waiting) == 1:
            yield from tuple(self._waiting)
            return
        yield from [waiting.job for waiting in self._front]
        lines = {account: iter(line) for account, line in self._lines.items()}
        heads = {account: next(line) for account, line in lines.items()}
        served = {account: running(account) for account in lines}
        while heads:
            account = min(heads, key=lambda name: (served[name], heads[name].ticket))
            head = heads.pop(account)
            served[account] += 1
            following = next(lines[account], None)
            if following is not None:
                heads[account] = following
            yield head.job
