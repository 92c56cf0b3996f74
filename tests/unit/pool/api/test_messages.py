"""Anthropic's dialect over real sockets, by raw HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fakes.hub import WORKER, answering, ended
from fakes.poolserver import Served, served
from fakes.records import KEY

from iamine.wire.messages import ChatWork
from pool.api.settings import Settings
from pool.errors import AnswerLost, DeadlineExceeded
from pool.routing.types import Begun, Delta, Ended, Queued

BEGUN = Begun(worker=WORKER, epoch=1, prompt_tokens=7, cached_tokens=2)
BODY: dict[str, Any] = {"model": "mote", "max_tokens": 5, "messages": [{"role": "user", "content": "Hello"}]}
TOOLS = [{"name": "add", "input_schema": {"type": "object"}}]
CALL = 'Well.\n<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>'
USAGE = {"input_tokens": 5, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 2, "output_tokens": 2}


@pytest.fixture
async def pool() -> AsyncIterator[Served]:
    async with served(Settings(open_after_s=0.05, comment_every_s=0.05)) as running:
        yield running
        await running.dispatch.drain(1.0)
        assert running.hub.taken == 0


@pytest.fixture
async def http(pool: Served) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"x-api-key": KEY, "anthropic-version": "2023-06-01"}
    async with httpx.AsyncClient(base_url=pool.url, headers=headers) as client:
        yield client


def events(text: str) -> list[dict[str, Any]]:
    """The stream's events; each is named as its data's type."""
    found: list[dict[str, Any]] = []
    for block in text.strip().split("\n\n"):
        if block.startswith(":"):
            continue
        name, data = block.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


async def test_a_plain_message(pool: Served, http: httpx.AsyncClient) -> None:
    reply = await http.post("/v1/messages", json=BODY | {"system": "Be brief.", "temperature": 0.5, "stop_sequences": ["x"]})
    told = reply.json()
    assert reply.status_code == 200
    assert (told["type"], told["role"], told["model"], told["id"][:4]) == ("message", "assistant", "mote", "msg_")
    assert told["content"] == [{"type": "text", "text": "Hello there"}]
    assert (told["stop_reason"], told["stop_sequence"], told["usage"]) == ("end_turn", None, USAGE)
    assert reply.headers["request-id"] == reply.headers["x-request-id"] == pool.hub.orders[0].job
    (order,) = pool.hub.orders
    assert isinstance(order.work, ChatWork)
    assert [m["role"] for m in json.loads(bytes(order.work.messages))] == ["system", "user"]
    assert (order.sampling.max_tokens, order.sampling.temperature, order.sampling.stop) == (5, 0.5, ("x",))


@pytest.mark.parametrize("stream", [False, True])
async def test_the_stop_sequence_that_was_met_is_told(pool: Served, http: httpx.AsyncClient, stream: bool) -> None:
    end = ended(1)
    stopped = Ended(reason="stop", text="", tokens=1, prompt_tokens=7, cached_tokens=2, segments=end.segments, stop="x")
    pool.hub.script = lambda _order: [BEGUN, Delta(index=0, ids=(1,), text="He"), stopped]
    reply = await http.post("/v1/messages", json=BODY | {"stream": stream})
    told = events(reply.text)[-2]["delta"] if stream else reply.json()
    assert (told["stop_reason"], told["stop_sequence"]) == ("stop_sequence", "x")


async def test_a_streamed_message(pool: Served, http: httpx.AsyncClient) -> None:
    reply = await http.post("/v1/messages", json=BODY | {"stream": True})
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    told = events(reply.text)
    assert [event["type"] for event in told] == [
        "message_start",
        "ping",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert told[0]["message"]["usage"] == USAGE | {"output_tokens": 0}
    assert "".join(e["delta"]["text"] for e in told if e["type"] == "content_block_delta") == "Hello there"
    assert told[-2]["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}
    assert told[-2]["usage"] == USAGE


@pytest.mark.parametrize("stream", [False, True])
async def test_tool_use(pool: Served, http: httpx.AsyncClient, stream: bool) -> None:
    pool.hub.script = lambda _order: answering(*(CALL[i : i + 5] for i in range(0, len(CALL), 5)))
    reply = await http.post("/v1/messages", json=BODY | {"tools": TOOLS, "stream": stream})
    if stream:
        told = events(reply.text)
        (start,) = [e for e in told if e["type"] == "content_block_start" and e["index"] == 1]
        (delta,) = [e for e in told if e["type"] == "content_block_delta" and e["index"] == 1]
        use = start["content_block"] | {"input": json.loads(delta["delta"]["partial_json"])}
        reason = told[-2]["delta"]["stop_reason"]
    else:
        said, use = reply.json()["content"]
        assert said == {"type": "text", "text": "Well.\n"}
        reason = reply.json()["stop_reason"]
    assert reason == "tool_use"
    assert use == {"type": "tool_use", "id": use["id"], "name": "add", "input": {"a": 1}}


@pytest.mark.parametrize(
    ("body", "headers", "status", "kind"),
    [
        (BODY | {"colour": "red"}, {}, 400, "invalid_request_error"),
        (BODY | {"model": "nope"}, {}, 404, "not_found_error"),
        (BODY, {"x-api-key": "im_wrong"}, 401, "authentication_error"),
        (BODY, {"x-api-key": "", "authorization": f"Bearer {KEY}"}, 200, None),
    ],
)
async def test_errors_have_anthropics_envelope(
    http: httpx.AsyncClient, body: Any, headers: Any, status: int, kind: str | None
) -> None:
    reply = await http.post("/v1/messages", json=body, headers=headers)
    assert reply.status_code == status
    if kind is not None:
        told = reply.json()
        assert (told["type"], told["error"]["type"]) == ("error", kind)
        assert told["request_id"] == reply.headers["x-request-id"]


async def test_a_prompt_is_counted_by_a_worker_that_answers_nothing(pool: Served, http: httpx.AsyncClient) -> None:
    pool.hub.script = lambda _order: answering(reason="length")
    asked = {"model": "mote", "messages": BODY["messages"], "tools": TOOLS}
    counted = await http.post("/v1/messages/count_tokens", json=asked)
    assert (counted.status_code, counted.json()) == (200, {"input_tokens": 7})
    (order,) = pool.hub.orders
    assert order.sampling.max_tokens == 0
    assert counted.headers["request-id"] == order.job
    wrong = await http.post("/v1/messages/count_tokens", json=asked | {"model": "nope"})
    assert (wrong.status_code, wrong.json()["error"]["type"]) == (404, "not_found_error")


async def test_what_is_not_there_is_told_in_the_envelope_too(http: httpx.AsyncClient) -> None:
    assert (await http.get("/v1/messages")).json()["error"]["type"] == "invalid_request_error"
    assert (await http.get("/v1/messages/batches")).json()["error"]["type"] == "not_found_error"


@pytest.mark.parametrize("stream", [False, True])
async def test_what_fails_before_the_first_token_is_a_status(pool: Served, http: httpx.AsyncClient, stream: bool) -> None:
    pool.hub.script = lambda _order: [Queued(position=1, estimate_s=None), DeadlineExceeded("nobody came")]
    reply = await http.post("/v1/messages", json=BODY | {"stream": stream})
    assert (reply.status_code, reply.json()["error"]["type"]) == (503, "overloaded_error")
    assert "retry-after" in reply.headers


async def test_what_fails_in_an_open_stream_is_its_last_event(pool: Served, http: httpx.AsyncClient) -> None:
    pool.hub.script = lambda _order: [BEGUN, Delta(index=0, ids=(1,), text="He"), AnswerLost("It broke off.")]
    told = events((await http.post("/v1/messages", json=BODY | {"stream": True})).text)
    assert told[-1]["error"] == {"type": "overloaded_error", "message": "It broke off."}


async def test_a_waiting_client_is_told_its_place_and_may_leave(pool: Served, http: httpx.AsyncClient) -> None:
    gate = asyncio.Event()
    pool.hub.script = lambda _order: [Queued(position=2, estimate_s=None), gate]
    async with http.stream("POST", "/v1/messages", json=BODY | {"stream": True}) as reply:
        async for line in reply.aiter_lines():
            if line == ": queued position=2":
                break
    await asyncio.wait_for(pool.hub.streams[0].cancelled.wait(), 2)
