"""Deficits and counters go to the store and come back, and a database that is away costs nothing but time."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from iamine.ids import AccountId, ModelId, WorkerId
from iamine.wire.messages import ModelOffer
from pool.dispatch.fairness import Fairness, Usage
from pool.errors import Unavailable
from pool.routing.choose import NS
from pool.routing.counters import TURN, Counters, Spent
from pool.routing.fleet import Fleet
from pool.routing.kept import Owed

A, W = AccountId("a"), WorkerId("w")
OFFER = ModelOffer(model=ModelId("m"), file_sha256="f", slots=1, context_tokens=9, vocabulary_tokens=9)


class FakeKept:
    """Keeps them in memory; `away` is raised instead, `gate` is waited for."""

    def __init__(self) -> None:
        self.owed: dict[tuple[WorkerId, str], float] = {}
        self.tabs: dict[AccountId, float] = {}
        self.costs: dict[AccountId, float] = {}
        self.away: Unavailable | None = None
        self.gate: asyncio.Event | None = None

    def _check(self) -> None:
        if self.away is not None:
            raise self.away

    async def keep_deficits(self, owed: Sequence[Owed]) -> None:
        self._check()
        self.owed.update({(one.worker, one.file_sha256): one.deficit_s for one in owed})

    async def deficits_ns(self, worker: WorkerId) -> Mapping[str, int]:
        self._check()
        return {file: round(value * NS) for (name, file), value in self.owed.items() if name == worker}

    async def keep_spent(self, spent: Sequence[Spent]) -> None:
        if self.gate is not None:
            await self.gate.wait()
        self._check()
        for one in spent:
            self.tabs[one.account] = one.counter
            self.costs[one.account] = self.costs.get(one.account, 0.0) + one.cost

    async def counters(self) -> Mapping[AccountId, float]:
        return self.tabs

    async def spent(self) -> Mapping[AccountId, float]:
        self._check()
        return self.costs


def fairness(kept: FakeKept) -> tuple[Fairness, Fleet, Counters]:
    fleet, counters = Fleet(), Counters()
    return Fairness(fleet=fleet, counters=counters, kept=kept, standing=Usage(kept.spent)), fleet, counters


async def test_what_was_kept_is_there_after_a_restart() -> None:
    kept = FakeKept()
    room, fleet, counters = fairness(kept)
    fleet.join(W, (OFFER,), 0.0)
    fleet.restore(W, {"f": 7 * NS})
    counters.enter(A)
    counters.charge(A, 100.0, 0.0)
    await room.keep()
    await room.keep()
    assert kept.costs == {A: 100.0}
    room, fleet, counters = fairness(kept)
    await room.begin()
    assert counters.key(A) == 100.0
    counters.enter(A)
    counters.charge(A, 10.0, 0.0)
    assert counters.key(A) == 120.0, "who has spent has half a share"
    fleet.join(W, (OFFER,), 0.0)
    await room.joined(W)
    assert [one.deficit_s for one in fleet.owed()] == [7.0]


async def test_what_could_not_be_written_is_written_the_next_time() -> None:
    kept = FakeKept()
    room, fleet, counters = fairness(kept)
    fleet.join(W, (OFFER,), 0.0)
    fleet.restore(W, {"f": 7 * NS})
    fleet.leave(W)
    counters.enter(A)
    counters.charge(A, 100.0, 0.0)
    kept.away = Unavailable("away")
    await room.keep()
    await room.share()
    assert not kept.owed and not kept.costs
    kept.away = None
    await room.keep()
    assert kept.owed == {(W, "f"): 7.0} and kept.costs == {A: 100.0}


async def test_a_write_that_is_cut_off_loses_nothing() -> None:
    kept = FakeKept()
    room, _, counters = fairness(kept)
    counters.enter(A)
    counters.charge(A, 100.0, 0.0)
    kept.gate = asyncio.Event()
    task = asyncio.create_task(room.keep())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    kept.gate = None
    await room.keep()
    assert kept.costs == {A: 100.0}


async def test_keeping_goes_on_after_whatever_goes_wrong() -> None:
    kept, fleet, counters = FakeKept(), Fleet(), Counters()
    kept.away = ValueError("not even an error of ours")  # type: ignore[assignment]
    room = Fairness(fleet=fleet, counters=counters, kept=kept, standing=Usage(kept.spent), keep_every_s=0.0)
    counters.enter(A)
    counters.charge(A, 100.0, 0.0)
    task = asyncio.create_task(room.run())
    for _ in range(20):
        await asyncio.sleep(0)
    assert not kept.costs and not task.done()
    kept.away = None
    async with asyncio.timeout(20):
        while counters.turn(A) == TURN:
            await asyncio.sleep(0)
    assert kept.costs == {A: 100.0} and counters.turn(A) == 2 * TURN, "and shares are worked out now and then"
    task.cancel()
