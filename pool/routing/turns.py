"""Whose request begins when the pool's own processor is short: each account's at a rate that leaves the others quick.

Workers are shared out by the scheduler; this is about the pool itself, which one account could keep busy with nothing but
questions. How late the event loop is, and how much of the time it works, tell how short the processor is.
"""

from collections import OrderedDict

from iamine.ids import AccountId

LATE_S = 0.02  # a loop that is later than this makes everybody wait
BUSY = 0.6  # so does one that works for more of the time: at 0.6 a request waits for about one other, at 0.9 for five
LEAST_PER_S, MOST_PER_S = 50.0, 4000.0  # requests of one account; at the most nobody is held up
SLOWER, FASTER = 0.5, 1.04  # a step of the rate: half at once, back in small steps (AIMD, as TCP does)
BURST = 8  # requests of an account that may come together
ACTIVE_S = 1.0  # an account counts as one of several for so long after its last request


class Turns:
    """The turns of all accounts. Times are any steady clock's seconds."""

    def __init__(self) -> None:
        self._rate_per_s = MOST_PER_S
        self._next: dict[AccountId, float] = {}
        self._active: OrderedDict[AccountId, float] = OrderedDict()

    @property
    def rate_per_s(self) -> float:
        """How many requests of one account may begin in a second."""
        return self._rate_per_s

    def looked(self, late_s: float, busy: float) -> None:
        """The event loop was so late just now, and worked for that share of the time; to be told at steady intervals."""
        step = SLOWER if late_s > LATE_S or busy > BUSY else FASTER
        self._rate_per_s = min(MOST_PER_S, max(LEAST_PER_S, self._rate_per_s * step))
        if self._rate_per_s == MOST_PER_S:
            self._next.clear()
            self._active.clear()

    def wait_s(self, account: AccountId, now: float) -> float:
        """Take the account's next turn: so long it must be waited for. Nobody waits who is alone, or while time is plenty."""
        if self._rate_per_s == MOST_PER_S:
            return 0.0
        self._see(account, now)
        if len(self._active) < 2:
            return 0.0
        turn_s = 1 / self._rate_per_s
        start = max(now, self._next.get(account, 0.0))
        self._next[account] = start + turn_s
        return max(0.0, start - now - BURST * turn_s)

    def _see(self, account: AccountId, now: float) -> None:
        self._active[account] = now
        self._active.move_to_end(account)
        while now - next(iter(self._active.values())) > ACTIVE_S:
            gone, _ = self._active.popitem(last=False)
            self._next.pop(gone, None)
