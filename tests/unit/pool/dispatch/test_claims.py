"""Claims: the code leads to the worker, the account gets it once, and the worker is told."""

import asyncio
from collections.abc import Iterator
from itertools import count

import pytest
from fakes.owners import FakeLinks, FakeOwner, FakeOwners

from iamine.ids import AccountId, ModelId, WorkerId
from iamine.wire.messages import Claim
from pool.dispatch import claims as room
from pool.dispatch.claims import Claims
from pool.errors import ClaimCodeUnknown, InvalidRequest, NotFound, RateLimited, Unavailable, WorkerClaimed
from pool.routing.claims import FAILURES_PER_MINUTE, GRACE_S, RENEW_S

W, V = WorkerId("wrk_w"), WorkerId("wrk_v")
ANN, BOB = AccountId("acc_ann"), AccountId("acc_bob")


class Office:
    """Claims over a store and links in memory, with a clock that is set by hand."""

    def __init__(self) -> None:
        self.owners, self.links, self.now = FakeOwners(), FakeLinks(here={W: (ModelId("mote"),)}), 100.0
        numbers: Iterator[int] = count(1)
        self.claims = Claims(
            owners=self.owners,
            links=self.links,
            clock=lambda: self.now,
            random_bytes=lambda size: next(numbers).to_bytes(size, "big"),
        )


@pytest.fixture
def office() -> Office:
    return Office()


async def test_a_worker_that_nobody_owns_shows_a_code_and_is_claimed_by_it(office: Office) -> None:
    await office.claims.joined(W)
    assert office.links.told[W] == [Claim(code="0000-0001", valid_s=RENEW_S + GRACE_S)]
    mine = await office.claims.claim(ANN, "0000 oool")
    assert (mine.worker, mine.models, mine.claimed_at) == (W, ("mote",), 1_700_000_000.0)
    assert office.links.told[W][-1] == Claim(owner="ann")
    assert await office.claims.owned(ANN) == (mine,) and await office.claims.owned(BOB) == ()
    with pytest.raises(ClaimCodeUnknown):
        await office.claims.claim(BOB, "0000-0001")


async def test_an_owned_worker_is_told_whose_it_is_when_it_comes(office: Office) -> None:
    office.owners.owners[W] = FakeOwner(account=ANN, name="Ann Lee")
    await office.claims.joined(W)
    assert office.links.told[W] == [Claim(owner="Ann Lee")]


async def test_guessing_is_refused_after_a_few_wrong_codes_even_with_the_right_one(office: Office) -> None:
    await office.claims.joined(W)
    for _ in range(FAILURES_PER_MINUTE):
        with pytest.raises(ClaimCodeUnknown):
            await office.claims.claim(ANN, "ZZZZ-ZZZZ")
    with pytest.raises(RateLimited) as caught:
        await office.claims.claim(ANN, "0000-0001")
    assert caught.value.retry_after_s == pytest.approx(12.0)
    assert (await office.claims.claim(BOB, "0000-0001")).worker == W
    with pytest.raises(InvalidRequest):
        await office.claims.claim(ANN, "no code")


async def test_of_two_who_send_the_code_at_once_one_gets_it(office: Office) -> None:
    await office.claims.joined(W)
    results = await asyncio.gather(
        office.claims.claim(ANN, "0000-0001"), office.claims.claim(BOB, "0000-0001"), return_exceptions=True
    )
    kinds = sorted(type(one).__name__ for one in results)
    assert kinds in (["Owned", "WorkerClaimed"], ["ClaimCodeUnknown", "Owned"])


async def test_somebody_was_faster_by_another_way(office: Office) -> None:
    await office.claims.joined(W)
    office.owners.owners[W] = FakeOwner(account=BOB, name="bob")
    with pytest.raises(WorkerClaimed):
        await office.claims.claim(ANN, "0000-0001")
    assert office.links.told[W][-1] == Claim(owner="bob")


async def test_a_database_that_is_away_costs_nobody_the_code(office: Office) -> None:
    await office.claims.joined(W)
    office.owners.away = Unavailable("away")
    with pytest.raises(Unavailable):
        await office.claims.claim(ANN, "0000-0001")
    office.owners.away = None
    assert (await office.claims.claim(ANN, "0000-0001")).worker == W


async def test_who_came_while_the_database_was_away_is_told_later_if_still_here(office: Office) -> None:
    office.owners.away = Unavailable("away")
    await office.claims.joined(W)
    await office.claims.joined(V)
    await office.claims.look()
    assert office.links.told == {}
    office.owners.away = None
    await office.claims.look()
    assert set(office.links.told) == {W}, "the other one is gone"


async def test_codes_are_renewed_in_time_for_those_who_are_here(office: Office) -> None:
    await office.claims.joined(W)
    office.links.here[V] = ()
    await office.claims.joined(V)
    del office.links.here[V]
    office.now += RENEW_S
    await office.claims.look()
    assert [one.code for one in office.links.told[W]] == ["0000-0001", "0000-0003"] and len(office.links.told[V]) == 1


async def test_a_worker_that_is_given_up_shows_a_code_again(office: Office) -> None:
    await office.claims.joined(W)
    await office.claims.claim(ANN, "0000-0001")
    for account, name in ((BOB, W), (ANN, V), (ANN, "wrk_\N{SNOWMAN}"), (ANN, "wrk_\0")):
        with pytest.raises(NotFound):
            await office.claims.release(account, name)
    await office.claims.release(ANN, W)
    assert office.links.told[W][-1].code == "0000-0002"
    await office.claims.claim(BOB, "0000-0002")
    del office.links.here[W]
    await office.claims.release(BOB, W)
    assert office.links.told[W][-1] == Claim(owner="bob"), "nobody is there to be told"


async def test_it_runs_until_it_is_cancelled(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "LOOK_EVERY_S", 0.0)
    office.owners.away = Unavailable("away")
    await office.claims.joined(W)
    office.owners.away = None
    running = asyncio.create_task(office.claims.run())
    while W not in office.links.told:
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
