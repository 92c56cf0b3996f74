"""Long use leaves nothing behind: memory, descriptors, tasks of the pool, its PostgreSQL, an agent and its engine."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
from fakes.plainhttp import PlainClient
from fakes.wire import MODEL, WireWorker, offer, text
from footprint import Growth, Held, postgres, process
from house import House, wait_for
from pools import start_pool

from appliance.agent import control

REQUESTS = int(os.environ.get("IAMINE_SOAK", "2000"))
CYCLES = int(os.environ.get("IAMINE_SOAK_CYCLES", "20"))
ANSWERS = max(200, REQUESTS // 20)  # of a real engine
CLIENTS = 8
CONFIG = "per_key_concurrency = 1000\nrequests_per_minute = 100000000\ntokens_per_minute = 1000000000\nthink_tiers = []\n"
COUNT: dict[str, Any] = {"messages": [{"role": "user", "content": "Count."}], "max_tokens": 5}


def answered(stream: bool, status: int, body: bytes) -> str:
    """The text of an answer, plain or streamed."""
    assert status == 200, body
    if not stream:
        return str(json.loads(body)["choices"][0]["message"]["content"])
    *events, done, _ = body.decode().split("\n\n")
    assert done == "data: [DONE]"
    deltas = [json.loads(event[6:])["choices"][0]["delta"] for event in events if event.startswith("data: ")]
    return "".join(delta.get("content") or "" for delta in deltas)


async def asking(house: House, model: str, count: int) -> list[str]:
    """So many requests by a few clients, every other one streamed; the different answers."""

    async def some() -> set[str]:
        found = set()
        async with PlainClient(house.port, house.key) as client:
            for number in range(count // CLIENTS):
                stream = number % 2 == 0
                found.add(answered(stream, *await client.ask(COUNT | {"model": model, "stream": stream, "temperature": 0})))
        return found

    return sorted(set.union(*await asyncio.gather(*(some() for _ in range(CLIENTS)))))


@asynccontextmanager
async def instant(house: House) -> AsyncIterator[None]:
    """A worker with an instant engine."""
    worker = await WireWorker(house.port, (offer(),)).join()
    task = asyncio.create_task(worker.serve())
    yield
    await worker.close()
    await task


def tasks(house: House) -> int:
    """The tasks of the pool's event loop."""
    told = httpx.get(f"{house.url}/metrics", headers=house.headers, timeout=10).text
    return int(float(next(line.split()[1] for line in told.splitlines() if line.startswith("iamine_loop_tasks "))))


def pool_process(house: House) -> psutil.Process:
    assert house.process is not None
    return psutil.Process(house.process.pid)


async def test_thousands_of_requests_leave_nothing_behind(house: House) -> None:
    start_pool(house, CONFIG)
    pool = pool_process(house)
    growth = Growth({"pool": lambda: process(pool), "PostgreSQL": lambda: postgres(pool)})
    async with instant(house):
        assert await asking(house, MODEL, REQUESTS // 2) == [text(5)]  # caches fill, the allocator settles
        await asyncio.sleep(1)
        growth.begin()
        running = await asyncio.to_thread(tasks, house)
        assert await asking(house, MODEL, REQUESTS) == [text(5)]
        await asyncio.sleep(1)
        growth.end()
        print(f"\nafter {REQUESTS} requests\n{growth.told()}")
        assert growth.excess() == []
        assert await asyncio.to_thread(tasks, house) <= running + CLIENTS


def folder_of(house: House) -> Path:
    return house.data_dir / "extra" / "lender"


def agent_process(house: House) -> psutil.Process:
    return house.find("iamine", "worker", "lender")


def engine_of(agent: psutil.Process) -> psutil.Process:
    return next(one for one in agent.children() if "appliance.agent.engine" in " ".join(one.cmdline()))


def one_worker(house: House) -> psutil.Process:
    """A pool and one agent with mote; the agent's process."""
    start_pool(house, CONFIG)
    house.worker("lender")
    house.wait_ready(workers=1)
    return agent_process(house)


def told(house: House, ask: control.Ask) -> control.State:
    state = control.ask(folder_of(house), ask)
    assert state is not None
    return state


def cycle(house: House) -> None:
    """The engine goes and comes back, and the pool is told."""
    assert told(house, control.Ask(ask="pause")).state == "resting"
    told(house, control.Ask(ask="resume"))
    wait_for(lambda: told(house, control.Ask(ask="status")).state == "working", 60, "loaded again")


async def test_loading_and_unloading_leaves_nothing_behind(house: House) -> None:
    agent = await asyncio.to_thread(one_worker, house)
    pool = pool_process(house)
    looks = {"agent": lambda: process(agent), "pool": lambda: process(pool), "PostgreSQL": lambda: postgres(pool)}
    growth = Growth(looks)

    async def cycles(count: int) -> None:
        for _ in range(count):
            await asyncio.to_thread(cycle, house)
            await asking(house, "mote", CLIENTS)

    await cycles(max(4, CYCLES // 10))
    growth.begin()
    await cycles(CYCLES)
    growth.end()
    print(f"\nafter {CYCLES} cycles\n{growth.told()}")
    assert growth.excess() == []
    assert len([one for one in agent.children() if "engine" in " ".join(one.cmdline())]) == 1


async def test_an_engine_that_answers_for_long_does_not_grow(house: House) -> None:
    agent = await asyncio.to_thread(one_worker, house)
    engine = engine_of(agent)

    def whole() -> Held:
        """The engine and its zygote."""
        family = [engine, *engine.children(recursive=True)]
        return Held(sum(one.memory_info().rss for one in family), sum(one.num_fds() for one in family))

    growth = Growth({"engine": whole, "agent": lambda: process(agent)})
    await asking(house, "mote", ANSWERS // 2)
    growth.begin()
    answers = await asking(house, "mote", ANSWERS)
    growth.end()
    print(f"\nafter {ANSWERS} answers\n{growth.told()}")
    assert len(answers) == 1 and answers[0]
    assert growth.excess() == []
    assert engine.is_running()
