"""Agents die every three seconds in the middle of long answers: no stream breaks, and every greedy answer is the whole one.

IAMINE_CHAOS_STREAMS sets how many streams there are (50; `just torture` takes more).
"""

import asyncio
import itertools
import os
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from house import House, wait_for
from openai import AsyncOpenAI

STREAMS = int(os.environ.get("IAMINE_CHAOS_STREAMS", "50"))
AGENTS = 3
TOKENS = 450  # at 40 tokens/s longer than it takes to kill each agent once
AT_ONCE = 16  # what two of three agents can hold: the third is dead or coming back
KILL_EVERY_S = 3.0
PROMPTS = [f"count from {a} to {a + 60}" for a in range(1, 30)]


@dataclass
class Killer:
    """Ends one agent after the other with SIGKILL, and starts each again."""

    house: House
    kills: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)
    agents: dict[str, Any] = field(default_factory=dict)

    def start(self, name: str) -> None:
        self.agents[name] = self.house.worker(name, "--max-tps", "40")

    def run(self) -> None:
        names = itertools.cycle(sorted(self.agents))
        while not self.stopping.wait(KILL_EVERY_S):
            name = next(names)
            self.agents[name].kill()
            self.agents[name].wait()
            self.kills += 1
            self.start(name)


@dataclass(frozen=True)
class Seen:
    """What a client got."""

    text: str
    tokens: int
    segments: int
    longest_pause_s: float
    chunks: int


async def answer(client: AsyncOpenAI, prompt: str) -> Seen:
    messages: Any = [{"role": "user", "content": prompt}]
    stream = await client.chat.completions.create(
        model="mote",
        messages=messages,
        temperature=0,
        max_tokens=TOKENS,
        stream=True,
        stream_options={"include_usage": True},
        extra_body={"ignore_eos": True},
    )
    text, tokens, segments, chunks, pause_s, last = "", 0, 0, 0, 0.0, time.monotonic()
    async for chunk in stream:
        now = time.monotonic()
        if chunk.choices and chunk.choices[0].delta.content:
            pause_s = max(pause_s, now - last if text else 0.0)
            text, last = text + chunk.choices[0].delta.content, now
            chunks += 1
        tokens = chunk.usage.completion_tokens if chunk.usage else tokens
        origin = (chunk.model_extra or {}).get("x_iamine")
        segments = len(origin["segments"]) if origin else segments
    return Seen(text=text, tokens=tokens, segments=segments, longest_pause_s=pause_s, chunks=chunks)


async def all_answers(house: House, prompts: list[str], at_once: int) -> list[Seen]:
    limit = asyncio.Semaphore(at_once)

    async def one(client: AsyncOpenAI, prompt: str) -> Seen:
        async with limit:
            return await answer(client, prompt)

    async with AsyncOpenAI(base_url=f"{house.url}/v1", api_key=house.key, timeout=300, max_retries=0) as client:
        return await asyncio.gather(*[one(client, prompt) for prompt in prompts])


def test_no_answer_dies_with_its_agent(house: House) -> None:
    house.workers = 0
    house.start()
    fast = house.worker("fast")
    house.wait_ready(workers=1)
    prompts = [PROMPTS[number % len(PROMPTS)] for number in range(STREAMS)]
    whole = dict(zip(PROMPTS, asyncio.run(all_answers(house, PROMPTS, 8)), strict=True))
    killer = Killer(house)
    for number in range(AGENTS):
        killer.start(f"agent{number}")
    house.wait_ready(workers=AGENTS + 1)
    fast.terminate()
    wait_for(lambda: house.status()["workers"] == AGENTS, 30, "only the slow agents left")
    thread = threading.Thread(target=killer.run)
    thread.start()
    try:
        seen = asyncio.run(all_answers(house, prompts, AT_ONCE))
    finally:
        killer.stopping.set()
        thread.join()
    moved = sum(one.segments >= 2 for one in seen)
    pauses = sorted(one.longest_pause_s for one in seen if one.segments >= 2)
    p95 = pauses[int(0.95 * (len(pauses) - 1))] if pauses else 0.0
    print(f"{STREAMS} streams, {killer.kills} kills, {moved} moved, longest pause p95 {p95:.2f} s")
    assert [one.tokens for one in seen] == [TOKENS] * STREAMS
    assert [n for n, one in enumerate(seen) if one.text != whole[prompts[n]].text] == []
    assert min(one.chunks for one in seen) > TOKENS / 10, "streams, not lumps"
    assert moved >= 0.8 * STREAMS, f"only {moved} of {STREAMS} had more than one worker: this proves too little"
    wait_for(lambda: house.status()["running"] == 0 and house.status()["queued"] == 0, 10, "no slot stays taken")


def test_an_agent_that_freezes_is_replaced_and_welcomed_back(house: House) -> None:
    house.workers = 0
    house.start()
    for name in ("first", "second"):
        house.worker(name, "--max-tps", "40")
    house.wait_ready(workers=2)
    frozen = house.find("iamine", "worker", "first")
    thread = threading.Thread(target=lambda: (time.sleep(3), frozen.suspend(), time.sleep(8), frozen.resume()))
    thread.start()
    seen = asyncio.run(all_answers(house, PROMPTS[:8], 8))
    thread.join()
    assert [one.tokens for one in seen] == [TOKENS] * 8
    assert sum(one.segments >= 2 for one in seen) >= 2, "nobody was at the frozen one: this proves nothing"
    house.wait_ready(workers=2)
    wait_for(lambda: house.status()["running"] == 0, 10, "no slot stays taken")
