"""Tens of thousands of wrong frames at a real pool's door for workers: others are served right meanwhile and afterwards."""

import asyncio
import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
from fakes.plainhttp import PlainClient
from fakes.wire import MODEL, WireWorker, offer, text
from hostile import HOSTILE, Hostile, offered
from house import House
from pools import start_pool

FRAMES = int(os.environ.get("IAMINE_FUZZ_FRAMES", "4000"))
SEED = int(os.environ.get("IAMINE_FUZZ_SEED", "1"))
ENEMIES = 8
PATIENCE_S = 90.0  # a deadline, and the minute that a job lost by its worker waits for another: later is a hang
MB = 1024 * 1024
MOST_MB = 150  # over what it had: 64 MB of frames on their way, and what the allocator keeps
CONFIG = (
    "per_key_concurrency = 1000\nrequests_per_minute = 100000000\nplain_deadline_s = 3.0\nstream_deadline_s = 3.0\n"
    "think_tiers = []\nsubstitute = false\n"
)
ASKED: dict[str, Any] = {"messages": [{"role": "user", "content": "Count."}], "max_tokens": 5}
TELLS = re.compile(r"Traceback|ERROR|CRITICAL|never retrieved|Exception")


def requests(number: int) -> tuple[str, dict[str, Any]]:
    """The kinds of requests that reach an enemy, in turn."""
    prompt = {"model": HOSTILE, "prompt": "x", "max_tokens": 50}
    return [
        ("/v1/chat/completions", ASKED | {"model": HOSTILE, "stream": True, "max_tokens": 50}),
        ("/v1/chat/completions", ASKED | {"model": HOSTILE, "logprobs": True, "top_logprobs": 3, "stop": ["y"], "n": 2}),
        ("/v1/completions", prompt | {"logprobs": 2}),
        ("/v1/completions", prompt | {"stream": True, "logprobs": 1, "echo": False}),
        ("/v1/messages", ASKED | {"model": HOSTILE}),
        ("/v1/responses", {"model": HOSTILE, "input": "x", "stream": True}),
        ("/v1/embeddings", {"model": HOSTILE, "input": ["a"]}),
        ("/v1/messages/count_tokens", {"model": HOSTILE, "messages": ASKED["messages"]}),
    ][number % 8]


class Victims:
    """Clients of the enemies' model, and of the honest worker's; `seen` counts the statuses that the former got."""

    def __init__(self, house: House) -> None:
        self._port, self._key = house.port, house.key
        self.seen: Counter[int] = Counter()
        self.honest = 0
        self.over = False

    async def ask_enemies(self, number: int) -> None:
        while not self.over:
            path, asked = requests(number)
            async with PlainClient(self._port, self._key, path) as client:
                try:
                    status, _ = await asyncio.wait_for(client.ask(asked), PATIENCE_S)
                except TimeoutError:
                    raise AssertionError(f"no answer within {PATIENCE_S:g} s: {path} {asked}") from None
            self.seen[status] += 1
            number += 1

    async def ask_honest(self) -> None:
        async with PlainClient(self._port, self._key) as client:
            while not self.over:
                status, body = await asyncio.wait_for(client.ask(ASKED | {"model": MODEL}), PATIENCE_S)
                assert status == 200, body
                assert json.loads(body)["choices"][0]["message"]["content"] == text(5)
                self.honest += 1
                await asyncio.sleep(0.01)


async def fight(house: House) -> tuple[Victims, int]:
    honest = await WireWorker(house.port, (offer(),)).join()
    serving = asyncio.create_task(honest.serve())
    victims = Victims(house)
    clients = [asyncio.create_task(victims.ask_enemies(n)) for n in range(16)]
    clients.append(asyncio.create_task(victims.ask_honest()))
    enemies = [Hostile(house.port, SEED * 1000 + n) for n in range(ENEMIES)]
    try:
        await asyncio.gather(*(enemy.run(FRAMES // ENEMIES) for enemy in enemies))
    finally:
        victims.over = True
        await rescue(house, clients)
        await honest.close()
        await serving
    return victims, sum(enemy.sent for enemy in enemies)


async def rescue(house: House, clients: "list[asyncio.Task[None]]") -> None:
    """What the enemies left lying is done by one who keeps the rules."""
    worker = await WireWorker(house.port, (offered(),)).join()
    serving = asyncio.create_task(worker.serve())
    await asyncio.gather(*clients)
    await worker.close()
    await serving


async def test_no_frame_of_a_worker_harms_the_pool_or_another_worker(house: House) -> None:
    await asyncio.to_thread(start_pool, house, CONFIG)
    assert house.process is not None
    pool = psutil.Process(house.process.pid)
    before = pool.memory_info().rss
    victims, sent = await fight(house)
    grown = (pool.memory_info().rss - before) / MB
    print(f"\n{sent} frames; {victims.honest} honest answers; to the enemies' clients {dict(victims.seen)}; {grown:+.0f} MB")
    assert sent >= FRAMES and victims.honest > 10
    assert set(victims.seen) <= {200, 400, 404, 503}, victims.seen
    assert victims.seen[200], "no enemy answered anybody: this proves little"
    assert grown < MOST_MB
    said = Path(house.data_dir / "pool.out").read_text(errors="replace")
    assert [line for line in said.splitlines() if TELLS.search(line)] == []
    assert house.status()["workers"] == 0
    assert await asyncio.to_thread(house.stop) == 0
