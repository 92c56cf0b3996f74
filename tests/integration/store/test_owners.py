"""Whose a worker is, on a real database."""

import asyncio

import pytest

from iamine.ids import worker_id
from iamine.wire.messages import Hardware
from pool.store.store import Store

HARDWARE = Hardware(cpu="c", cores_physical=1, cores_usable=1.0, memory_bytes=1, memory_available_bytes=1)
KEY = bytes(range(32))
W = worker_id(KEY)


async def test_a_worker_has_one_owner_until_he_gives_it_up(store: Store) -> None:
    ann, bob = await store.accounts.create("ann"), await store.accounts.create("Bob")
    assert await store.workers.owner(W) is None
    assert (await store.workers.own(W, bob.account)).name == "Bob"
    assert (await store.workers.own(W, ann.account)).account == bob.account, "who was first keeps it"
    (owned,) = await store.workers.owned(bob.account)
    assert (owned.worker, owned.name, owned.last_seen) == (W, "", None), "it was claimed before its row was written"
    await store.workers.seen(worker=W, public_key=KEY, name="attic", hardware=HARDWARE)
    (owned,) = await store.workers.owned(bob.account)
    assert owned.name == "attic" and owned.last_seen is not None
    assert not await store.workers.disown(W, ann.account)
    assert await store.workers.disown(W, bob.account)
    assert await store.workers.owner(W) is None and await store.workers.owned(bob.account) == ()


async def test_of_many_who_claim_at_once_one_gets_it(store: Store) -> None:
    accounts = [(await store.accounts.create(f"a{number}")).account for number in range(8)]
    owners = await asyncio.gather(*(store.workers.own(W, account) for account in accounts))
    assert len({owner.account for owner in owners}) == 1


@pytest.mark.parametrize("account", ["acc_nobody"])
async def test_nobody_owns_for_an_account_that_is_not_there(store: Store, account: str) -> None:
    with pytest.raises(Exception, match="foreign key"):
        await store.workers.own(W, account)  # type: ignore[arg-type]
    assert await store.workers.owner(W) is None
