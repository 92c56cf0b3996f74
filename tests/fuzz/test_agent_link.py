"""A pool that keeps no rule of the wire, before a real link, worker and engine: none dies, and they serve the next pool."""

import asyncio
import json
import os
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import psutil
from damage import NASTY_NUMBERS, NASTY_TEXTS, spoilt
from msgspec import Raw
from tiny_pool import TinyPool
from websockets.asyncio.server import ServerConnection

from appliance.agent.errors import AgentError
from appliance.agent.link import Endpoint, Link
from appliance.agent.runner import Runner
from appliance.agent.types import ModelSpec
from appliance.agent.worker import Worker
from iamine.identity import Identity
from iamine.ids import JobId, ModelId
from iamine.wire.codec import encode
from iamine.wire.messages import (
    MAX_FRAME_BYTES,
    Cancel,
    Challenge,
    ChatWork,
    Claim,
    CompletionWork,
    Demand,
    Drain,
    EmbeddingWork,
    Finished,
    Goodbye,
    Grammar,
    Hardware,
    Job,
    ManifestUpdate,
    Message,
    ModelDemand,
    Resume,
    Sampling,
    Standing,
)

FRAMES = int(os.environ.get("IAMINE_FUZZ_FRAMES", "4000"))
SEED = int(os.environ.get("IAMINE_FUZZ_SEED", "1"))
FRAMES_A_SESSION = 200
MB = 1024 * 1024
MOST_MB = 200
MOTE = Path(__file__).parents[2] / "appliance/agent/data/mote-Q8_0.gguf"
SHA = "aa" * 32
HARDWARE = Hardware(cpu="c", cores_physical=1, cores_usable=1.0, memory_bytes=1, memory_available_bytes=1)
SEALED = b'[{"role":"user","content":"hi"}]'
TOOLS = b'[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]'
GRAMMARS = (
    Grammar(kind="gbnf", text='root ::= "a" root | "b"'), Grammar(kind="gbnf", text="root ::= root"),
    Grammar(kind="json_schema", text='{"type":"object","properties":{"a":{"type":"integer"}}}'),
    Grammar(kind="json_object"), Grammar(kind="gbnf", text="\0"),
)  # fmt: skip


def said(draw: Random, number: int) -> Message:
    """Any message that a pool can say."""
    job, epoch = JobId(f"j{number - draw.choice((0, 0, 0, 1, 2))}"), draw.choices((1, 2, 0, -1), (90, 8, 1, 1))[0]
    work = draw.choice(
        (
            CompletionWork(prompt="Hello"), CompletionWork(prompt=(1, 2, 3)), CompletionWork(prompt=""),
            ChatWork(messages=Raw(SEALED)), ChatWork(messages=Raw(SEALED), tools=Raw(TOOLS), opening="a", effort="high"),
            EmbeddingWork(inputs=("a", (1, 2))),
        )
    )  # fmt: skip
    sampling = Sampling(
        max_tokens=draw.choice((0, 1, 4, 16)), temperature=draw.choice((0.0, 1.0)), seed=number, stop=draw.choice(((), ("x",))),
        logprobs=draw.choice((None, 2)), grammar=draw.choice((None, None, None, *GRAMMARS)), logit_bias={5: 1.0},
    )  # fmt: skip
    order = Job(
        job=job, epoch=epoch, file_sha256=draw.choice((SHA, SHA, SHA, "bb")), work=work, sampling=sampling, now=1.0,
        prefix=draw.choice(((), (), (5, 6))), hold_s=draw.choice((0.0, 0.0, 5.0)),
    )  # fmt: skip
    other = draw.choice(
        (
            Cancel(job=job, epoch=epoch), Resume(job=job, epoch=epoch, index=draw.choice((0, 1, 10**9))),
            Standing(model=ModelId("m"), deficit_s=1.0, reason="slow", text="t"), Claim(code="a", owner="b"),
            ManifestUpdate(text="version = 1", signature="s"), Demand(serial=1, models=(ModelDemand(model=ModelId("m")),)),
        )
    )  # fmt: skip
    last = draw.choice(
        (
            Goodbye(code="c", reason="r", retry_after_s=draw.choice((0.0, -1.0))), Drain(reason="r"),
            Challenge(version=1, pool_key=bytes(32), nonce=bytes(32), now=1.0, signature=bytes(64)),
        )
    )  # fmt: skip
    return draw.choices((order, other, last), (0.7, 0.297, 0.003))[0]


def nasty_job(draw: Random, order: dict[str, Any]) -> dict[str, Any]:
    """A job of the right form, with a sampling that no pool would ask for."""
    key = draw.choice(list(Sampling.__struct_fields__))
    value: Any = draw.choice(NASTY_NUMBERS)
    match key:
        case "logit_bias":
            value = {str(draw.choice((0, 10**6, 2**31 - 1, -1))): value}
        case "stop":
            value = [draw.choice(NASTY_TEXTS).replace("\ud800", "")]
        case "ignore_eos":
            value = True
        case "grammar":
            value = {"kind": "gbnf", "text": draw.choice(NASTY_TEXTS).replace("\ud800", "")}
        case _ if key not in ("temperature", "top_p", "min_p") and not key.endswith("penalty"):
            value = int(value)
    return order | {"sampling": order["sampling"] | {key: value}}


class Enemy:
    """What the tiny pool says: so many wrong frames in all, then nothing but one honest job."""

    def __init__(self, seed: int) -> None:
        self._draw = Random(seed)
        self.sent = 0
        self.over = asyncio.Event()

    async def __call__(self, pool: TinyPool, socket: ServerConnection) -> None:
        for _ in range(FRAMES_A_SESSION):
            if self.sent >= FRAMES:
                break
            await socket.send(self._frame())
            self.sent += 1
            await asyncio.sleep(0.02 if self.sent % 20 == 0 else 0)
        if self.sent >= FRAMES:
            self.over.set()
            work = CompletionWork(prompt="Hello")
            await socket.send(encode(Job(job=JobId("honest"), epoch=1, file_sha256=SHA, work=work, sampling=GOOD, now=1.0)))
            await socket.wait_closed()

    def _frame(self) -> bytes:
        draw = self._draw
        good = json.loads(encode(said(draw, self.sent)))
        luck = draw.random()
        if luck < 0.001:
            return b" " * (MAX_FRAME_BYTES + 1)
        if luck < 0.5 and good["t"] == "job":
            return json.dumps(nasty_job(draw, good)).encode()
        return json.dumps(good).encode() if luck < 0.98 else spoilt(draw, good)


GOOD = Sampling(max_tokens=5, temperature=0.0, ignore_eos=True)


class Counting(Worker):
    """A worker that counts what it was asked."""

    asked = 0

    def heard(self, message: Any) -> None:
        self.asked += 1
        super().heard(message)


async def keep_linked(link: Link, ends: Counter[str]) -> None:
    """A link that is refused for good is opened again: a person would start the worker anew."""
    while True:
        try:
            await link.run()
            return
        except AgentError as error:
            ends[type(error).__name__] += 1


async def test_no_frame_of_a_pool_harms_the_worker_or_its_engine(tmp_path: Path) -> None:
    lines: list[str] = []
    faults: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: faults.append(context))
    worker = Counting(hardware=HARDWARE, say=lines.append, clock=asyncio.get_running_loop().time)
    runner = Runner(on_frame=worker.on_frame, on_offers=worker.on_offers, quarantine_dir=tmp_path / "quarantine")
    await runner.load(ModelSpec(model=ModelId("mote"), path=MOTE, file_sha256=SHA, exact=True, threads=1))
    engines = psutil.Process().children()
    enemy, ends = Enemy(SEED), Counter[str]()
    me = psutil.Process()
    async with TinyPool(enemy) as pool:
        endpoint = Endpoint(url=pool.url, pins=tmp_path / "pins.json", name="n")
        link = Link(endpoint=endpoint, identity=Identity.from_seed(bytes(32)), owner=worker, random=lambda: 0.0)
        worker.attach(runner, link)
        before = me.memory_info().rss
        linked = asyncio.create_task(keep_linked(link, ends))
        await asyncio.wait_for(enemy.over.wait(), max(100, FRAMES / 50))
        await pool.until(lambda message: isinstance(message, Finished) and message.job == "honest", 120)
        grown = (me.memory_info().rss - before) / MB
        await link.close("over")
        await asyncio.wait_for(linked, 10)
    print(f"\n{enemy.sent} frames in {pool.connections} links, {worker.asked} heard, {dict(ends)}, {grown:+.0f} MB")
    assert [one for one in psutil.Process().children() if one in engines] == engines, "the engine died of a pool's words"
    await runner.close()
    assert not (tmp_path / "quarantine").exists()
    assert faults == []
    assert worker.asked > FRAMES / 3, "most went unheard: this proves little"
    assert grown < MOST_MB
