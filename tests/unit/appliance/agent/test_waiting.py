"""An event, a limit and a cancellation, in every order."""

import asyncio

import pytest

from appliance.agent.waiting import happens


async def test_an_event_that_comes_and_one_that_does_not() -> None:
    event = asyncio.Event()
    assert not await happens(event, 0.0)
    assert not await happens(event, -1.0)
    asyncio.get_running_loop().call_soon(event.set)
    assert await happens(event, 60.0)
    assert await happens(event, 0.0)


@pytest.mark.parametrize("turns", range(5))
async def test_a_cancellation_is_not_lost_when_the_event_comes_too(turns: int) -> None:
    event = asyncio.Event()

    async def forever() -> None:
        while True:
            await happens(event, 60.0)
            event.clear()

    task = asyncio.create_task(forever())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    event.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=5)
    assert task in done and task.cancelled()
