"""Refusals take a moment, for a bounded number of clients; accounts wait for their turns while the loop is late."""

import asyncio

import httpx
import pytest
from fakes.poolserver import served
from fakes.records import KEY

from iamine.ids import AccountId
from pool.api import turnstile as turnstile_module
from pool.api.room import LARGE_BYTES_PER_S, SMALL_BYTES, Room
from pool.api.settings import Settings
from pool.api.turnstile import Turnstile
from pool.routing.turns import Turns

ANN, BOB = AccountId("acc_ann"), AccountId("acc_bob")
AUTH = {"authorization": f"Bearer {KEY}"}
CHAT = {"model": "mote", "messages": [{"role": "user", "content": "Hello"}]}


async def test_a_refusal_of_too_much_takes_a_moment_and_others_do_not() -> None:
    settings, clock = Settings(requests_per_minute=1, refusal_s=0.2), asyncio.get_running_loop().time
    async with served(settings) as pool, httpx.AsyncClient(base_url=pool.url, headers=AUTH) as http:
        assert (await http.post("/v1/chat/completions", json={"model": "none"})).status_code == 400
        began = clock()
        assert (await http.post("/v1/chat/completions", json=CHAT)).status_code == 429
        assert clock() - began >= 0.2


async def test_only_so_many_refusals_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turnstile_module, "MOST_LINGERING", 1)
    turnstile = Turnstile(Turns(), linger_s=3600)
    first = asyncio.create_task(turnstile.linger())
    await asyncio.sleep(0)
    await turnstile.linger()
    first.cancel()
    await asyncio.wait({first})
    second = asyncio.create_task(turnstile.linger())
    await asyncio.sleep(0)
    assert not second.done()
    second.cancel()
    await asyncio.wait({second})


async def test_a_late_loop_is_noticed_and_nobody_looks_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turnstile_module, "LOOK_EVERY_S", 0.0)
    turns = Turns()
    turnstile = Turnstile(turns, linger_s=0.0)
    looks: list[tuple[float, float]] = []
    monkeypatch.setattr(Turns, "looked", lambda _, late_s, busy: looks.append((late_s, busy)))
    assert turnstile.wait_s(ANN) == 0.0
    while len(looks) < 3:
        await asyncio.sleep(0)
    assert all(late_s >= 0 and busy >= 0 for late_s, busy in looks)
    monkeypatch.setattr(turnstile_module, "IDLE_S", -1.0)
    for _ in range(9):
        await asyncio.sleep(0)
    seen = len(looks)
    for _ in range(9):
        await asyncio.sleep(0)
    assert len(looks) == seen
    turnstile.wait_s(BOB)
    for _ in range(9):
        await asyncio.sleep(0)


async def test_large_bodies_come_in_together_at_a_bounded_speed() -> None:
    now = [0.0]
    room = Room(10 * SMALL_BYTES, clock=lambda: now[0])
    small, large = room.hold(), room.hold()
    small.grow(SMALL_BYTES)
    large.grow(2 * SMALL_BYTES)
    await small.pace(LARGE_BYTES_PER_S * 3600)
    waiting = asyncio.create_task(large.pace(LARGE_BYTES_PER_S * 3600))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    waiting.cancel()
    await asyncio.wait({waiting})
    now[0] = 3600.0
    await large.pace(1)
