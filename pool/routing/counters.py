"""Virtual-token counters: what each account was served, by its share; whoever has the least goes next (VTC, OSDI 2024).

A job in flight is pledged at what it is expected to cost (the deficit round's quantum) and charged as its tokens are
accepted, so that a burst of free slots does not all go to one account. An account that comes back is lifted to the
least of the active ones: idling earns nothing.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from heapq import heappop, heappush, heapreplace

from iamine.ids import AccountId
from iamine.work import USUAL_OUTPUT_TOKENS, USUAL_PROMPT_TOKENS, cost

LEAST_SHARE, MOST_SHARE = 0.5, 8.0
TURN = cost(USUAL_PROMPT_TOKENS, USUAL_OUTPUT_TOKENS)


def share(earned: float, spent: float) -> float:
    """How much faster than another an account may go, by what it earned and spent in 30 days (virtual tokens)."""
    return max(LEAST_SHARE, min(MOST_SHARE, 1.0 + math.log2((1.0 + earned) / (1.0 + spent))))


@dataclass(slots=True)
class Tab:
    """One account. `counter` and `pledged` are virtual tokens by its share, `unsaved` plain ones since the last `take`."""

    counter: float = 0.0
    pledged: float = 0.0
    share: float = 1.0
    jobs: int = 0
    unsaved: float = 0.0
    heaped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What is to be kept of an account: its counter, and the virtual tokens it was served since it was last kept."""

    account: AccountId
    counter: float
    cost: float


class Counters:
    """The tabs of all accounts."""

    def __init__(self) -> None:
        self._tabs: dict[AccountId, Tab] = {}
        self._least: list[tuple[float, AccountId]] = []
        self._floor = 0.0  # the counter of who was active last
        self._changed: set[AccountId] = set()

    def restore(self, account: AccountId, *, counter: float) -> None:
        """The counter as it was kept; one that runs already is not touched."""
        self._tabs.setdefault(account, Tab(counter=counter))

    def give_share(self, account: AccountId, value: float) -> None:
        """What the account earned and spent has changed."""
        self._tab(account).share = value

    def enter(self, account: AccountId) -> None:
        """One more job of the account waits or runs."""
        tab = self._tab(account)
        if tab.jobs:
            tab.jobs += 1
            return
        least = self._least_active()
        tab.jobs = 1
        tab.counter = max(tab.counter, self._floor if least is None else least)
        if not tab.heaped:
            tab.heaped = True
            heappush(self._least, (tab.counter, account))

    def leave(self, account: AccountId) -> None:
        """One job less."""
        tab = self._tabs[account]
        tab.jobs -= 1
        if not tab.jobs:
            self._floor = tab.counter

    def key(self, account: AccountId) -> float:
        """Who has the least of this goes next."""
        tab = self._tab(account)
        return tab.counter + tab.pledged

    def turn(self, account: AccountId) -> float:
        """What one usual job more adds to the key."""
        return TURN / self._tab(account).share

    def pledge(self, account: AccountId, amount: float) -> float:
        """A job is in flight that is expected to cost so much; returns the pledge, to be given back by `release`."""
        tab = self._tab(account)
        tab.pledged += amount / tab.share
        return amount / tab.share

    def release(self, account: AccountId, pledge: float) -> None:
        """What was pledged is charged now, or never will be."""
        tab = self._tabs[account]
        tab.pledged = max(0.0, tab.pledged - pledge)

    def charge(self, account: AccountId, amount: float, pledge: float) -> float:
        """So many virtual tokens were accepted, out of the pledge as far as it goes; returns what is left of the pledge."""
        tab = self._tab(account)
        part = amount / tab.share
        tab.counter += part
        tab.unsaved += amount
        self._changed.add(account)
        rest = pledge - part
        tab.pledged -= part if rest > 0 else pledge
        if tab.pledged < 0:
            tab.pledged = 0.0
        return rest if rest > 0 else 0.0

    def take(self) -> tuple[Spent, ...]:
        """What has changed since the last time, to be kept."""
        changed, self._changed = self._changed, set()
        found: list[Spent] = []
        for account in sorted(changed):
            tab = self._tabs[account]
            found.append(Spent(account=account, counter=tab.counter, cost=tab.unsaved))
            tab.unsaved = 0.0
        return tuple(found)

    def put_back(self, kept_not: Iterable[Spent]) -> None:
        """What was taken could not be kept: it is taken again next time."""
        for one in kept_not:
            self._tabs[one.account].unsaved += one.cost
            self._changed.add(one.account)

    def _tab(self, account: AccountId) -> Tab:
        tab = self._tabs.get(account)
        if tab is None:
            tab = self._tabs[account] = Tab()
        return tab

    def _least_active(self) -> float | None:
        """The least counter of the active ones. Counters only rise, so an entry that is too low is put in its place."""
        while self._least:
            counter, account = self._least[0]
            tab = self._tabs[account]
            if not tab.jobs:
                heappop(self._least)
                tab.heaped = False
            elif tab.counter > counter:
                heapreplace(self._least, (tab.counter, account))
            else:
                return counter
        return None
