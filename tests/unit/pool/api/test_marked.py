"""Streams with an Idempotency-Key over real sockets: their events bear ids, and a client goes on after its last one."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fakes.hub import WORKER, FakeHub, Step, card, ended
from fakes.journals import FakeHeld, FakeJournals
from fakes.poolserver import Served, served
from fakes.records import KEY

from iamine.wire.messages import TokenLogprob
from pool.api.settings import Settings
from pool.dispatch.keeper import Keeper, Keeping
from pool.routing.types import Begun, Delta, JobOrder

BEGUN = Begun(worker=WORKER, epoch=1, prompt_tokens=7, cached_tokens=2)
HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
TOOLS = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}]
CALL = '<tool_call>\n{"name": "add", "arguments": {"a": %d}}\n</tool_call>'


@pytest.fixture
async def pool() -> AsyncIterator[Served]:
    keeper = Keeper(hub=FakeHeld(lambda: 0.0), journals=FakeJournals(), keeping=Keeping(return_s=0.0))
    async with served(Settings(open_after_s=0.05, comment_every_s=0.05), FakeHub(), keeper) as running:
        yield running
        for stream in running.hub.streams:
            stream.cancel()
        await keeper.drain(1.0)
        await running.dispatch.drain(1.0)


@pytest.fixture
async def http(pool: Served) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=pool.url, headers={"authorization": f"Bearer {KEY}"}) as raw:
        yield raw


def answering(*texts: str) -> Any:
    def script(_order: JobOrder) -> list[Step]:
        logprobs = [TokenLogprob(id=i, logprob=-0.5, bytes=tuple(text.encode())) for i, text in enumerate(texts)]
        deltas = [Delta(index=i, ids=(i,), text=text, logprobs=(logprobs[i],)) for i, text in enumerate(texts)]
        return [BEGUN, *deltas, ended(len(texts))]

    return script


async def events(http: httpx.AsyncClient, path: str, body: dict[str, Any], **headers: str) -> list[tuple[str, str]]:
    """(id, data) of every event; the id is "" where there is none."""
    answer = await http.post(path, json={"model": "mote", "stream": True, **body}, headers=headers)
    assert answer.status_code == 200, answer.text
    told = []
    for block in answer.text.split("\n\n"):
        fields = dict(line.partition(": ")[::2] for line in block.split("\n") if line and not line.startswith(":"))
        if "data" in fields:
            told.append((fields.get("id", ""), fields["data"]))
    return told


def deltas(told: list[tuple[str, str]]) -> dict[int, dict[str, Any]]:
    """What a chat's chunks say of each choice, put together."""
    found: dict[int, dict[str, Any]] = {}
    for _, data in told:
        for choice in json.loads(data)["choices"] if data != "[DONE]" else ():
            one = found.setdefault(choice["index"], {"content": "", "reasoning_content": "", "arguments": "", "finish": None})
            delta = choice["delta"]
            one["content"] += delta.get("content") or ""
            one["reasoning_content"] += delta.get("reasoning_content") or ""
            for call in delta.get("tool_calls", ()):
                one["arguments"] += f"#{call['index']}" + call.get("function", {}).get("arguments", "")
            one["finish"] = choice["finish_reason"] or one["finish"]
    return found


def added(one: dict[int, dict[str, Any]], more: dict[int, dict[str, Any]]) -> dict[int, dict[str, Any]]:
    for index, part in more.items():
        mine = one.setdefault(index, {"content": "", "reasoning_content": "", "arguments": "", "finish": None})
        for name in ("content", "reasoning_content", "arguments"):
            mine[name] += part[name]
        mine["finish"] = part["finish"] or mine["finish"]
    return one


CHATS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "plain": ({}, ("Hel", "", "lo", " there")),
    "calls": ({"tools": TOOLS}, ("I ", "call: ", (CALL % 1) + "\n" + (CALL % 2), "")),
    "two choices": ({"n": 2}, ("a", "b", "c")),
    "logprobs": ({"logprobs": True}, ("é", "b", "c")),
    "usage": ({"stream_options": {"include_usage": True}}, ("a", "b")),
}


@pytest.mark.parametrize("kind", CHATS)
async def test_a_chat_goes_on_after_any_of_its_ids(pool: Served, http: httpx.AsyncClient, kind: str) -> None:
    more, texts = CHATS[kind]
    pool.hub.script = answering(*texts)
    body = {"messages": HELLO, **more}
    whole = await events(http, "/v1/chat/completions", body, **{"idempotency-key": "k"})
    marks = [number for number, (name, _) in enumerate(whole) if name]
    assert marks and whole[-1] == ("", "[DONE]")
    for mark in marks:
        rest = await events(http, "/v1/chat/completions", body, **{"idempotency-key": "k", "last-event-id": whole[mark][0]})
        assert rest[-1] == ("", "[DONE]")
        assert '"role"' not in rest[0][1]
        assert added(deltas(whole[: mark + 1]), deltas(rest)) == deltas(whole)
    assert len(pool.hub.orders) == more.get("n", 1)


async def test_no_choices_end_is_lost_while_another_choice_is_still_searched(pool: Served, http: httpx.AsyncClient) -> None:
    def script(order: JobOrder) -> list[Step]:
        first, *rest = answering("a", "b", "c")(order)
        return [first, rest[0], 0.2, *rest[1:]] if order.job.endswith(".0") else [first, *rest]

    pool.hub.script = script
    body = {"messages": HELLO, "n": 2}
    whole = await events(http, "/v1/chat/completions", body, **{"idempotency-key": "k"})
    for number, (name, _) in enumerate(whole):
        if name:
            rest = await events(http, "/v1/chat/completions", body, **{"idempotency-key": "k", "last-event-id": name})
            assert added(deltas(whole[: number + 1]), deltas(rest)) == deltas(whole)


async def test_reasoning_goes_on_too(pool: Served, http: httpx.AsyncClient) -> None:
    pool.hub.cards = (card(reasoning_format="think"),)
    pool.hub.script = answering("<think>", "let me", " see</think>", "an", "swer")
    body = {"messages": HELLO}
    whole = await events(http, "/v1/chat/completions", body, **{"idempotency-key": "k"})
    assert deltas(whole)[0]["reasoning_content"] == "let me see"
    for number, (name, _) in enumerate(whole):
        if name:
            rest = await events(http, "/v1/chat/completions", body, **{"idempotency-key": "k", "last-event-id": name})
            assert added(deltas(whole[: number + 1]), deltas(rest)) == deltas(whole)


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        ("/v1/completions", {"prompt": "x", "echo": True}, "text"),
        ("/v1/responses", {"input": "x"}, "delta"),
        ("/v1/messages", {"messages": HELLO, "max_tokens": 9}, "delta"),
    ],
    ids=["completions", "responses", "messages"],
)
async def test_every_dialect_goes_on(pool: Served, http: httpx.AsyncClient, path: str, body: dict[str, Any], kind: str) -> None:
    pool.hub.script = answering("Hel", "lo", " there")

    def shown(told: list[tuple[str, str]]) -> str:
        found = ""
        for _, data in told:
            event = json.loads(data) if data != "[DONE]" else {}
            delta = event.get("delta", "")
            found += delta if isinstance(delta, str) else delta.get("text", "")
            found += "".join(choice["text"] for choice in event.get("choices", ()))
        return found

    whole = await events(http, path, body, **{"idempotency-key": "k"})
    assert shown(whole).endswith("Hello there")
    marks = [number for number, (name, _) in enumerate(whole) if name]
    assert len(marks) >= 3
    for mark in marks:
        rest = await events(http, path, body, **{"idempotency-key": "k", "last-event-id": whole[mark][0]})
        assert shown(whole[: mark + 1]) + shown(rest) == shown(whole)
        assert rest[-1] == whole[-1]


async def test_without_a_key_no_event_has_an_id(pool: Served, http: httpx.AsyncClient) -> None:
    told = await events(http, "/v1/chat/completions", {"messages": HELLO}, **{"last-event-id": "x"})
    assert {name for name, _ in told} == {""}
    assert pool.hub.orders[0].hold_s == 0.0


async def test_a_wrong_position_ends_the_stream_with_an_error_and_no_text(pool: Served, http: httpx.AsyncClient) -> None:
    pool.hub.script = answering("Hel", "lo", " there")
    whole = await events(http, "/v1/chat/completions", {"messages": HELLO}, **{"idempotency-key": "k"})
    name = next(name for name, _ in whole if name)
    job, tokens, _ = name.split(":")
    headers = {"idempotency-key": "k", "last-event-id": f"{job}:{tokens}:00000001"}
    (told,) = await events(http, "/v1/chat/completions", {"messages": HELLO}, **headers)
    assert json.loads(told[1])["error"]["code"] == "resume_mismatch"
    body = {"model": "mote", "stream": True, "messages": HELLO}
    for last_id, status, code in (
        (f"{job}:1.1:00000001.00000001", 409, "resume_mismatch"),
        (f"{job}:1:00000000", 409, "resume_mismatch"),
        ("job_x:1:00000000", 409, "resume_lost"),
        ("nonsense", 400, "invalid_value"),
    ):
        headers = {"idempotency-key": "k", "last-event-id": last_id}
        answer = await http.post("/v1/chat/completions", json=body, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


async def test_a_plain_answer_is_given_again_and_a_connection_may_break(pool: Served, http: httpx.AsyncClient) -> None:
    gate = asyncio.Event()
    deltas = [Delta(index=i, ids=(i,), text=text) for i, text in enumerate(("Hel", "lo"))]
    pool.hub.script = lambda _order: [BEGUN, deltas[0], gate, deltas[1], ended(2)]
    body, headers = {"model": "mote", "messages": HELLO}, {"idempotency-key": "k"}
    with pytest.raises(httpx.ReadTimeout):
        await http.post("/v1/chat/completions", json=body, headers=headers, timeout=0.3)
    gate.set()
    first = await http.post("/v1/chat/completions", json=body, headers=headers)
    again = await http.post("/v1/chat/completions", json=body, headers=headers)
    assert first.json()["choices"][0]["message"]["content"] == "Hello"
    assert first.content == again.content and len(pool.hub.orders) == 1


@pytest.mark.parametrize("name", ["", "x" * 256, "a\tb"])
async def test_a_key_that_cannot_be_is_refused(http: httpx.AsyncClient, name: str) -> None:
    body = {"model": "mote", "messages": HELLO}
    answer = await http.post("/v1/chat/completions", json=body, headers={"idempotency-key": name})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "Idempotency-Key")


async def test_a_key_draws_its_own_seed_in_every_pool(pool: Served, http: httpx.AsyncClient) -> None:
    body = {"model": "mote", "messages": HELLO}
    keeper = Keeper(hub=FakeHeld(lambda: 0.0), journals=FakeJournals(), keeping=Keeping(return_s=0.0))
    async with served(Settings(), FakeHub(), keeper) as other:
        for url, name in ((pool.url, "one"), (pool.url, "two"), (pool.url, ""), (pool.url, ""), (other.url, "one")):
            headers = {"idempotency-key": name} if name else {}
            await http.post(f"{url}/v1/chat/completions", json=body, headers=headers)
        seeds = [order.sampling.seed for order in pool.hub.orders]
        assert len(set(seeds)) == 4
        assert other.hub.orders[0].sampling.seed == seeds[0]
        await keeper.drain(1.0)
