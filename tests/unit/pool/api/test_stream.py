"""A streamed answer once it is open: whatever happens is told as an event."""

import asyncio
import json
from typing import Any

import httpx
from fakes.hub import WORKER, FakeHub, answering, card, ended
from fakes.poolserver import served
from fakes.records import KEY

from pool.api.settings import Settings
from pool.errors import InvalidRequest
from pool.routing.types import Begun, Delta, JobOrder, Prefilled, Queued

BEGUN = Begun(worker=WORKER, epoch=1, prompt_tokens=7, cached_tokens=2)
BODY = {"model": "mote", "messages": [{"role": "user", "content": "Hello"}], "stream": True}


async def told(script: Any, **settings: Any) -> list[str]:
    async with served(Settings(**settings)) as pool:
        pool.hub.script = script
        async with httpx.AsyncClient(base_url=pool.url, headers={"authorization": f"Bearer {KEY}"}) as http:
            reply = await http.post("/v1/chat/completions", json=BODY)
        await pool.dispatch.drain(1.0)
        assert pool.hub.taken == 0
        return [line for line in reply.text.split("\n\n") if line]


async def test_the_first_byte_comes_when_a_worker_took_the_prompt_not_with_the_first_token() -> None:
    gate = asyncio.Event()
    async with served() as pool:
        pool.hub.script = lambda _order: [BEGUN, gate, *answering("x")[1:]]
        key = {"authorization": f"Bearer {KEY}"}
        async with (
            httpx.AsyncClient(base_url=pool.url, headers=key) as http,
            http.stream("POST", "/v1/chat/completions", json=BODY) as reply,
        ):
            lines = reply.aiter_lines()
            first = json.loads((await asyncio.wait_for(lines.__anext__(), 1))[6:])
            assert first["choices"][0]["delta"]["role"] == "assistant"
            gate.set()
            assert [line async for line in lines][-2:] == ["data: [DONE]", ""]


async def test_the_reading_of_a_long_prompt_is_told() -> None:
    reading = Prefilled(done_tokens=3, total_tokens=7)
    lines = await told(lambda _order: [BEGUN, reading, 0.05, *answering("x")[1:]], comment_every_s=0.01)
    assert ": reading tokens=3 of=7" in lines
    assert lines[-1] == "data: [DONE]"


async def test_an_empty_answer_is_whole() -> None:
    lines = await told(lambda _order: [BEGUN, ended(0)])
    chunks = [json.loads(line[6:]) for line in lines[:-1]]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, "stop"]
    assert lines[-1] == "data: [DONE]"


async def test_a_fault_of_ours_ends_the_stream_with_an_error_event() -> None:
    def script(_order: JobOrder) -> Any:
        return [BEGUN, Delta(index=0, ids=(1,), text="Hi"), "this is no event"]

    lines = await told(script)
    assert json.loads(lines[-1][6:])["error"]["code"] == "internal_error"


async def test_a_bad_grammar_is_a_status_though_a_worker_took_the_prompt() -> None:
    bad = InvalidRequest("no rule `root`", param="grammar")
    body = BODY | {"grammar": "root ::="}
    async with served() as pool:
        pool.hub.script = lambda _order: [BEGUN, 0.05, bad]
        async with httpx.AsyncClient(base_url=pool.url, headers={"authorization": f"Bearer {KEY}"}) as http:
            reply = await http.post("/v1/chat/completions", json=body)
            assert (reply.status_code, reply.json()["error"]["param"]) == (400, "grammar")
            pool.hub.script = lambda _order: [BEGUN, *answering("x")[1:]]
            good = await http.post("/v1/chat/completions", json=body)
            assert good.text.endswith("data: [DONE]\n\n")


async def test_a_move_before_the_first_byte_and_a_thought_are_told_as_comments() -> None:
    asks = '<tool_call>{"name": "think", "arguments": {"question": "Why?"}}</tool_call>'
    hub = FakeHub(cards=(card("mini"), card("big")))
    gate = asyncio.Event()

    def script(order: JobOrder) -> Any:
        if order.model == "big":
            asyncio.get_running_loop().call_later(0.1, gate.set)
            return [gate, *answering("Because.")]
        return answering("So." if b"Because." in bytes(order.work.messages) else asks)  # type: ignore[union-attr]

    hub.script = script
    async with served(Settings(comment_every_s=0.02), hub=hub, model_tiers={"big": "large"}) as pool:
        async with httpx.AsyncClient(base_url=pool.url, headers={"authorization": f"Bearer {KEY}"}) as http:
            reply = await http.post("/v1/chat/completions", json=BODY | {"model": "iamine-micro"})
            off = await http.post(
                "/v1/chat/completions",
                json=BODY | {"model": "iamine-small", "stream": False},
                headers={"x-iamine-think": "off"},
            )
            bad = await http.post("/v1/chat/completions", json=BODY, headers={"x-iamine-think": "maybe"})
        await pool.dispatch.drain(1.0)
    lines = [line for line in reply.text.split("\n\n") if line]
    assert lines.count(": think model=big") >= 2
    chunks = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    assert "".join(one["choices"][0]["delta"].get("content") or "" for one in chunks) == "So."
    assert chunks[-1]["x_iamine"]["thinks"] == [{"model": "big", "worker": WORKER, "tokens": 1, "answered": True}]
    assert (off.status_code, bad.status_code, bad.json()["error"]["param"]) == (200, 400, "x-iamine-think")


async def test_a_stream_that_moves_names_the_new_model_and_says_why() -> None:
    class Clock(FakeHub):
        def monotonic(self) -> float:
            self.now += 1.0
            return self.now

    hub = Clock(cards=(card("mini"), card("big")))

    def script(order: JobOrder) -> Any:
        if order.model == "big":
            return answering("Hi")
        hub.cards = (card("mini", workers=0), card("big"))
        return [Queued(position=1, estimate_s=None)] * 2 + [asyncio.Event()]

    hub.script = script
    for path, body in (
        ("/v1/chat/completions", BODY | {"model": "mini"}),
        ("/v1/messages", BODY | {"model": "mini", "max_tokens": 9}),
        ("/v1/responses", {"model": "mini", "input": "Hello", "stream": True}),
    ):
        hub.cards = (card("mini"), card("big"))
        async with (
            served(hub=hub) as pool,
            httpx.AsyncClient(base_url=pool.url, headers={"authorization": f"Bearer {KEY}"}) as http,
        ):
            reply = await http.post(path, json=body)
            await pool.dispatch.drain(1.0)
        assert ": moved model=big tier=micro reason=no worker offers mini now" in reply.text
        assert "Hi" in reply.text
    first = await one_degraded()
    assert ": degraded model=mini tier=micro reason=asked by tier; no large model for it now" in first


async def one_degraded() -> str:
    async with served(hub=FakeHub(cards=(card("mini"),))) as pool:
        async with httpx.AsyncClient(base_url=pool.url, headers={"authorization": f"Bearer {KEY}"}) as http:
            reply = await http.post("/v1/chat/completions", json=BODY | {"model": "iamine-large"})
        await pool.dispatch.drain(1.0)
        return reply.text
