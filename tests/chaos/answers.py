"""Long greedy answers of mote, read as a client sees them, and the agents that give them."""

import asyncio
import itertools
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from house import House, wait_for
from openai import AsyncOpenAI

TOKENS = 450  # at 40 tokens/s longer than it takes to kill each of three agents once
SLOW_TPS = "40"
SLOTS = "16"  # one agent can hold all streams when the others are dead or coming back
KILL_EVERY_S = 3.0
PROMPTS = [f"count from {a} to {a + 60}" for a in range(1, 30)]


@dataclass(frozen=True)
class Seen:
    """What a client got of a stream."""

    text: str
    tokens: int
    segments: int
    longest_pause_s: float
    chunks: int


@dataclass
class Killer:
    """Ends one agent after the other with SIGKILL, and starts each again.

    It waits while fewer than two are linked: an answer lives as long as anything can serve it, so something must.
    """

    house: House
    kills: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)
    agents: dict[str, Any] = field(default_factory=dict)
    thread: threading.Thread | None = None

    def start(self, name: str) -> None:
        self.agents[name] = self.house.worker(name, "--max-tps", SLOW_TPS, "--slots", SLOTS)

    def __enter__(self) -> "Killer":
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        if self.thread is not None:
            self.thread.join()

    def _run(self) -> None:
        names = itertools.cycle(sorted(self.agents))
        while not self.stopping.wait(KILL_EVERY_S):
            while self.house.status()["workers"] < 2 and not self.stopping.wait(0.1):
                pass
            name = next(names)
            self.agents[name].kill()
            self.agents[name].wait()
            self.kills += 1
            self.start(name)


async def answer(client: AsyncOpenAI, prompt: str, *, tokens: int = TOKENS) -> Seen:
    """One greedy stream of exactly so many tokens."""
    messages: Any = [{"role": "user", "content": prompt}]
    stream = await client.chat.completions.create(
        model="mote",
        messages=messages,
        temperature=0,
        max_tokens=tokens,
        stream=True,
        stream_options={"include_usage": True},
        extra_body={"ignore_eos": True},
    )
    text, said, segments, chunks, pause_s, last = "", 0, 0, 0, 0.0, time.monotonic()
    async for chunk in stream:
        now = time.monotonic()
        if chunk.choices and chunk.choices[0].delta.content:
            pause_s = max(pause_s, now - last if text else 0.0)
            text, last = text + chunk.choices[0].delta.content, now
            chunks += 1
        said = chunk.usage.completion_tokens if chunk.usage else said
        origin = (chunk.model_extra or {}).get("x_iamine")
        segments = len(origin["segments"]) if origin else segments
    return Seen(text=text, tokens=said, segments=segments, longest_pause_s=pause_s, chunks=chunks)


async def all_answers(house: House, prompts: Sequence[str], at_once: int, *, tokens: int = TOKENS) -> list[Seen]:
    """Every prompt's answer, so many at a time."""
    limit = asyncio.Semaphore(at_once)

    async def one(client: AsyncOpenAI, prompt: str) -> Seen:
        async with limit:
            return await answer(client, prompt, tokens=tokens)

    async with open_client(house) as client:
        return await asyncio.gather(*[one(client, prompt) for prompt in prompts])


def open_client(house: House) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{house.url}/v1", api_key=house.key, timeout=300, max_retries=0)


def uninterrupted(house: House, prompts: Sequence[str], *, tokens: int = TOKENS) -> dict[str, Seen]:
    """What one agent that nothing happens to answers. The pool must be up and without workers; it is so again afterwards."""
    fast = house.worker("fast")
    house.wait_ready(workers=1)
    seen = dict(zip(prompts, asyncio.run(all_answers(house, prompts, 8, tokens=tokens)), strict=True))
    leave(house, fast)
    return seen


def leave(house: House, agent: Any) -> None:
    """The agent stops as it should, and the pool has seen it go."""
    before = house.status()["workers"]
    agent.terminate()
    agent.wait(15)
    wait_for(lambda: house.status()["workers"] < before, 15, "the agent left")


def metric(house: House, name: str) -> float:
    """A counter or gauge of the pool's /metrics."""
    for line in httpx.get(f"{house.url}/metrics", timeout=5).text.splitlines():
        if line.startswith((f"{name} ", f"{name}_total ")):
            return float(line.split()[-1])
    raise AssertionError(f"no metric {name}")


def p95(values: Sequence[float]) -> float:
    """The 95th percentile, 0 of nothing."""
    return sorted(values)[int(0.95 * (len(values) - 1))] if values else 0.0
