"""Who is next: the account that was served least, its oldest job first; jobs that lost their worker go before all."""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush, heapreplace
from itertools import islice

from iamine.ids import AccountId, JobId
from iamine.wire.messages import Value

Key = Callable[[AccountId], float]  # what the account was served by its share; the least goes next
Entry = tuple[float, int, AccountId]  # key, ticket of the line's head, account


class Waiting(Value, frozen=True, kw_only=True):
    """A queued job: its account and its place in the order of arrival."""

    job: JobId
    account: AccountId
    ticket: int


class FairQueue:
    """Jobs of one model, a line per account.

    `key` may rise by itself; when it falls, `fell` must be told.
    """

    def __init__(self, key: Key) -> None:
        self._key = key
        self._lines: OrderedDict[AccountId, deque[Waiting]] = OrderedDict()
        self._front: OrderedDict[JobId, Waiting] = OrderedDict()
        self._waiting: dict[JobId, Waiting] = {}
        self._heap: list[Entry] = []
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
            self._front[job] = waiting
            return
        line = self._lines.setdefault(account, deque())
        line.append(waiting)
        if len(line) == 1:
            self._heap_push(account)

    def remove(self, job: JobId) -> bool:
        """Leave the queue; False when it was not there."""
        waiting = self._waiting.pop(job, None)
        if waiting is None:
            return False
        if self._front.pop(job, None) is not None:
            return True
        line = self._lines[waiting.account]
        line.remove(waiting)
        if not line:
            del self._lines[waiting.account]
        return True

    def fell(self, account: AccountId) -> None:
        """The account's key is less than it was."""
        if account in self._lines:
            self._heap_push(account)

    def lengths(self) -> Iterator[tuple[AccountId, int]]:
        """How many jobs each account has in its line; those at the front of all lines are in none."""
        return ((account, len(line)) for account, line in self._lines.items())

    def front(self) -> list[JobId]:
        """Those that go before everybody, in their order."""
        return list(self._front)

    def arrivals(self, start: int, count: int) -> Iterator[tuple[int, JobId]]:
        """(number, job) of some of them in the order in which they came, from number `start` on (0 is the oldest)."""
        return islice(enumerate(self._waiting), start, start + count)

    def first(self) -> JobId | None:
        """The next of the lines. Entries that are out of date are put in their place on the way."""
        while self._heap:
            account = self._heap[0][2]
            line = self._lines.get(account)
            if line is None:
                heappop(self._heap)
                continue
            now: Entry = (self._key(account), line[0].ticket, account)
            if now <= self._heap[0]:
                return line[0].job
            heapreplace(self._heap, now)
        return None

    def order(self, turn: Key) -> Iterator[JobId]:
        """All jobs in the order in which they would go if slots came free now, each adding `turn` to its account's key."""
        yield from self.front()
        lines = {account: iter(line) for account, line in self._lines.items()}
        heads = [(self._key(account), next(line), account) for account, line in lines.items()]
        heap = [(key, head.ticket, account, head.job) for key, head, account in heads]
        heapify(heap)
        while heap:
            key, _, account, job = heap[0]
            following = next(lines[account], None)
            if following is None:
                heappop(heap)
            else:
                heapreplace(heap, (key + turn(account), following.ticket, account, following.job))
            yield job

    def _heap_push(self, account: AccountId) -> None:
        """One more entry; of those that are out of date there are never many more than lines."""
        if len(self._heap) > 2 * len(self._lines) + 64:
            self._heap = [self._entry(name) for name in self._lines]
            heapify(self._heap)
        else:
            heappush(self._heap, self._entry(account))

    def _entry(self, account: AccountId) -> Entry:
        return self._key(account), self._lines[account][0].ticket, account
