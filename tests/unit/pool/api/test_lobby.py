"""Newcomers are let in in their order, and the loop turns meanwhile."""

import asyncio
import time

from pool.api.lobby import TURN_S, Lobby


async def test_work_is_done_in_its_order_and_others_get_their_turns() -> None:
    lobby, done, turns = Lobby(), list[int](), [0]

    def work(number: int) -> None:
        until = time.monotonic() + TURN_S
        while time.monotonic() < until:
            pass
        done.append(number)

    for number in range(20):
        lobby.add(lambda number=number: work(number))  # type: ignore[misc]
    while len(done) < 20:
        turns[0] += 1
        await asyncio.sleep(0)
    assert done == list(range(20)) and turns[0] >= 10


async def test_work_that_fails_keeps_nobody_out() -> None:
    lobby, done = Lobby(), list[int]()
    failures = list[object]()
    asyncio.get_running_loop().set_exception_handler(lambda _, about: failures.append(about["exception"]))

    def fail() -> None:
        raise ValueError("broken")

    lobby.add(fail)
    lobby.add(lambda: done.append(1))
    while not done:
        await asyncio.sleep(0)
    assert [type(one) for one in failures] == [ValueError]
    lobby.add(lambda: done.append(2))
    await asyncio.sleep(0)
    assert done == [1, 2]
