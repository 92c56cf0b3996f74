"""Deficits and counters across restarts: written now and then and at the end, read when a worker or the pool comes up."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from iamine.ids import AccountId, WorkerId
from pool.errors import PoolError
from pool.routing.counters import Counters, Spent, share
from pool.routing.fleet import Fleet
from pool.routing.kept import Owed

log = logging.getLogger("iamine.pool.dispatch")

KEEP_EVERY_S = 10.0
SHARES_EVERY_ROUNDS = 6


class Kept(Protocol):
    """Where it is written."""

    async def keep_deficits(self, owed: Sequence[Owed]) -> None: ...
    async def deficits_ns(self, worker: WorkerId) -> Mapping[str, int]: ...
    async def keep_spent(self, spent: Sequence[Spent]) -> None: ...
    async def counters(self) -> Mapping[AccountId, float]: ...


class Standing(Protocol):
    """What accounts did for the pool and took from it in 30 days, in virtual tokens; who is not named did nothing."""

    async def earned(self) -> Mapping[AccountId, float]: ...
    async def spent(self) -> Mapping[AccountId, float]: ...


class Usage:
    """The standing while there is no ledger: nothing is earned by workers that nobody claims."""

    def __init__(self, spent: Callable[[], Awaitable[Mapping[AccountId, float]]]) -> None:
        self._spent = spent

    async def earned(self) -> Mapping[AccountId, float]:
        """Nobody's workers are claimed yet."""
        return {}

    async def spent(self) -> Mapping[AccountId, float]:
        """What was written of it."""
        return await self._spent()


class Fairness:
    """Moves them between the scheduler's memory and the store. The database's absence never touches an answer."""

    def __init__(
        self, *, fleet: Fleet, counters: Counters, kept: Kept, standing: Standing, keep_every_s: float = KEEP_EVERY_S
    ) -> None:
        self._fleet, self._counters = fleet, counters
        self._kept, self._standing = kept, standing
        self._keep_every_s = keep_every_s

    async def begin(self) -> None:
        """At the pool's start. Raises: DatabaseAway."""
        for account, counter in (await self._kept.counters()).items():
            self._counters.restore(account, counter=counter)
        await self.share()

    async def joined(self, worker: WorkerId) -> None:
        """What the worker was owed when it left. Raises: DatabaseAway."""
        self._fleet.restore(worker, await self._kept.deficits_ns(worker))

    async def run(self) -> None:
        """For ever: keep, and work out the shares."""
        rounds = 0
        while True:
            await asyncio.sleep(self._keep_every_s)
            rounds += 1
            try:
                await self.keep()
                if rounds % SHARES_EVERY_ROUNDS == 0:
                    await self.share()
            except Exception as error:  # noqa: BLE001 - one bad row must not end the keeping of all others
                log.error("what workers are owed could not be written: %s", type(error).__name__)

    async def keep(self) -> None:
        """Write what has changed; what could not be written is tried again the next time."""
        owed, spent = self._fleet.owed(), self._counters.take()
        written = not spent
        try:
            if owed:
                await self._kept.keep_deficits(owed)
                self._fleet.away.written(owed)
            if spent:
                await self._kept.keep_spent(spent)
                written = True
        except PoolError as error:
            log.warning("what workers are owed is not written now: %s", error)
        finally:
            if not written:
                self._counters.put_back(spent)

    async def share(self) -> None:
        """Work out every account's share anew."""
        try:
            earned, spent = await self._standing.earned(), await self._standing.spent()
        except PoolError as error:
            log.warning("shares stay as they are: %s", error)
            return
        for account in {*earned, *spent}:
            self._counters.give_share(account, share(earned.get(account, 0.0), spent.get(account, 0.0)))
