"""Group commit: writes that wait are made together, in one statement for all that came while the one before was under way.

A lone write is made at once. Nothing waits for company.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from pool.store.database import DatabaseAway

MOST_TOGETHER = 500
SHORTEST_TRY_S = 0.25
AGAIN_S = 0.02
STEADY_S = 0.5  # a write that takes longer may mean that the database is away


class Item(Hashable, Protocol):
    """A write; of two with the same `key` the second waits for the next group."""

    @property
    def key(self) -> Hashable: ...


I = TypeVar("I", bound=Item)  # noqa: E741 - an item
Write = Callable[[Sequence[I], float], Awaitable[Sequence[Exception | None]]]


@dataclass(slots=True, eq=False)
class _Waiting(Generic[I]):
    item: I
    deadline_s: float
    done: "asyncio.Future[None]"


class Group(Generic[I]):
    """Gathers writes. `write(items, wait_s)` makes them all or raises; it tells what was wrong with each. It may be called
    again with the same items, so it must be idempotent. No item waits for longer than `wait_s`, and a little.
    """

    def __init__(self, write: "Write[I]", *, wait_s: float, now_s: Callable[[], float] = time.monotonic) -> None:
        self._write = write
        self._wait_s = wait_s
        self._now_s = now_s
        self._waiting: list[_Waiting[I]] = []
        self._task: asyncio.Task[None] | None = None
        self._unsteady_at_s = math.inf

    @property
    def steady(self) -> bool:
        """Whether writes go through, as far as is known: the last one did, and the one under way does not take long."""
        return self._now_s() < self._unsteady_at_s

    def put(self, item: I) -> "asyncio.Future[None]":
        """Done when it is written, or with what was wrong, or with DatabaseAway; cancelling it does not stop the write."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(item, self._now_s() + self._wait_s, done))
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return done

    async def _run(self) -> None:
        """While anything waits, and no longer."""
        try:
            while self._waiting:
                taken, self._waiting = _first(self._waiting)
                await self._together(taken)
        finally:
            self._task = None
            for one in self._waiting:  # only when this task was cancelled, at the pool's end
                one.done.cancel()

    async def _together(self, taken: "list[_Waiting[I]]") -> None:
        try:
            await self._try(taken)
        except DatabaseAway as error:
            now = self._now_s()
            for one in taken:
                if now >= one.deadline_s:
                    _tell(one, error)
                else:
                    self._waiting.append(one)
            await asyncio.sleep(AGAIN_S)
        except Exception as error:  # noqa: BLE001 - told to whoever waits
            self._unsteady_at_s = math.inf
            if len(taken) == 1:
                _tell(taken[0], error)
                return
            for one in taken:  # one bad write harms itself only
                await self._together([one])

    async def _try(self, taken: "list[_Waiting[I]]") -> None:
        now = self._now_s()
        left_s = min(one.deadline_s for one in taken) - now
        self._unsteady_at_s = min(self._unsteady_at_s, now + STEADY_S)
        results = await self._write([one.item for one in taken], max(SHORTEST_TRY_S, left_s))
        self._unsteady_at_s = math.inf
        for one, wrong in zip(taken, results, strict=True):
            _tell(one, wrong)


def _first(waiting: "list[_Waiting[I]]") -> "tuple[list[_Waiting[I]], list[_Waiting[I]]]":
    """Those to be written now, and those that come after: no key twice in one group."""
    now: dict[Hashable, _Waiting[I]] = {}
    later = []
    for one in waiting:
        if len(now) < MOST_TOGETHER and one.item.key not in now:
            now[one.item.key] = one
        else:
            later.append(one)
    return list(now.values()), later


def _tell(one: "_Waiting[I]", wrong: Exception | None) -> None:
    if one.done.done():
        return
    if wrong is None:
        one.done.set_result(None)
    else:
        one.done.set_exception(wrong)
