"""The Responses API over real sockets, by OpenAI's own library and by raw HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import openai
import pytest
from fakes.hub import WORKER, answering, card
from fakes.poolserver import Served, served
from fakes.records import KEY

from iamine.wire.messages import ChatWork
from pool.api.settings import Settings
from pool.errors import AnswerLost, ContextTooLong, DeadlineExceeded
from pool.routing.types import Begun, Delta, Queued

BEGUN = Begun(worker=WORKER, epoch=1, prompt_tokens=7, cached_tokens=2)
TOOLS: list[Any] = [{"type": "function", "name": "add", "parameters": {"type": "object"}, "strict": False}]
CALL = 'Well.\n<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>'


@pytest.fixture
async def pool() -> AsyncIterator[Served]:
    async with served(Settings(open_after_s=0.05, comment_every_s=0.05)) as running:
        yield running
        await running.dispatch.drain(1.0)
        assert running.hub.taken == 0


@pytest.fixture
async def client(pool: Served) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{pool.url}/v1", api_key=KEY, max_retries=0) as sdk:
        yield sdk


async def test_a_plain_response(pool: Served, client: openai.AsyncOpenAI) -> None:
    answer = await client.responses.create(model="mote", input="Hello", instructions="Be brief.", max_output_tokens=5)
    assert (answer.output_text, answer.status, answer.id[:5]) == ("Hello there", "completed", "resp_")
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.total_tokens) == (7, 2, 9)
    assert answer.usage.input_tokens_details.cached_tokens == 2
    assert (answer.instructions, answer.max_output_tokens, answer.to_dict()["store"]) == ("Be brief.", 5, False)
    (order,) = pool.hub.orders
    assert isinstance(order.work, ChatWork)
    assert json.loads(bytes(order.work.messages)) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
    ]
    assert order.sampling.max_tokens == 5
    assert answer._request_id == order.job
    assert pool.records.finished[0].status == "complete"


async def test_a_prompt_is_counted_by_a_worker_that_answers_nothing(pool: Served, client: openai.AsyncOpenAI) -> None:
    pool.hub.script = lambda _order: answering(reason="length")
    counted = await client.responses.input_tokens.count(model="mote", input="Hello", tools=TOOLS)
    assert (counted.object, counted.input_tokens) == ("response.input_tokens", 7)
    assert [order.sampling.max_tokens for order in pool.hub.orders] == [0]
    pool.hub.script = lambda _order: [ContextTooLong("Too long.", param="messages")]
    with pytest.raises(openai.BadRequestError) as long:
        await client.responses.input_tokens.count(model="mote", input="Hello")
    assert long.value.param == "input"


async def test_a_streamed_response(pool: Served, client: openai.AsyncOpenAI) -> None:
    async with client.responses.stream(model="mote", input="Hello") as stream:
        events = [event async for event in stream]
        final = await stream.get_final_response()
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == "Hello there"
    assert [e.sequence_number for e in events] == list(range(len(events)))
    assert (events[0].type, events[-1].type) == ("response.created", "response.completed")
    assert final.output_text == "Hello there"
    assert pool.hub.orders[0].deadline_s == pool.hub.now + 300


@pytest.mark.parametrize("stream", [False, True])
async def test_calls_and_their_results(pool: Served, client: openai.AsyncOpenAI, stream: bool) -> None:
    pool.hub.script = lambda _order: answering(*(CALL[i : i + 5] for i in range(0, len(CALL), 5)))
    asked: dict[str, Any] = {"model": "mote", "input": [{"role": "user", "content": "1?"}], "tools": TOOLS}
    if stream:
        async with client.responses.stream(**asked) as events:
            answer: Any = await events.get_final_response()
    else:
        answer = await client.responses.create(**asked)
    said, call = answer.output
    assert said.content[0].text == "Well.\n"
    assert (call.type, call.name, json.loads(call.arguments)) == ("function_call", "add", {"a": 1})
    told = {"type": "function_call_output", "call_id": call.call_id, "output": "2"}
    back = [item.to_dict() for item in answer.output]
    for item in back:
        item.pop("parsed_arguments", None)  # what the library's stream adds
        for part in item.get("content", ()):
            part.pop("parsed", None)
    await client.responses.create(model="mote", input=[*asked["input"], *back, told], tools=TOOLS)
    work = pool.hub.orders[-1].work
    assert isinstance(work, ChatWork)
    _, assistant, tool = json.loads(bytes(work.messages))
    assert assistant["content"] == "Well.\n"
    assert assistant["tool_calls"][0]["id"] == tool["tool_call_id"] == call.call_id


async def test_a_cut_response_is_incomplete(pool: Served, client: openai.AsyncOpenAI) -> None:
    pool.hub.script = lambda _order: answering("He", reason="length")
    answer = await client.responses.create(model="mote", input="Hello")
    assert answer.incomplete_details is not None
    assert (answer.status, answer.incomplete_details.reason) == ("incomplete", "max_output_tokens")


async def test_errors_are_the_librarys_and_name_this_dialects_parameters(pool: Served, client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as stored:
        await client.responses.create(model="mote", input="x", previous_response_id="resp_1")
    assert stored.value.param == "previous_response_id"
    with pytest.raises(openai.NotFoundError) as gone:
        await client.responses.retrieve("resp_1")
    assert "stores none" in gone.value.message
    with pytest.raises(openai.NotFoundError):
        await client.responses.delete("resp_1")
    with pytest.raises(openai.AuthenticationError):
        await client.with_options(api_key="im_wrong").responses.create(model="mote", input="x")
    with pytest.raises(openai.BadRequestError) as schema:
        tool: Any = {"type": "function", "name": "f", "parameters": {"type": 1}, "strict": True}
        await client.responses.create(model="mote", input="x", tools=[tool])
    assert schema.value.param == "tools[0].parameters"
    pool.hub.cards = (card(tool_format=""),)
    with pytest.raises(openai.BadRequestError) as tools:
        await client.responses.create(model="mote", input="x", tools=TOOLS)
    assert tools.value.param == "tools"
    assert pool.hub.orders == []


@pytest.mark.parametrize("stream", [False, True])
async def test_what_fails_before_the_first_token_is_a_status(pool: Served, client: openai.AsyncOpenAI, stream: bool) -> None:
    pool.hub.script = lambda _order: [Queued(position=1, estimate_s=None), ContextTooLong("too long")]
    with pytest.raises(openai.BadRequestError) as caught:
        await client.responses.create(model="mote", input="x", stream=stream)
    assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "input")
    pool.hub.script = lambda _order: [DeadlineExceeded("nobody came")]
    with pytest.raises(openai.InternalServerError) as late:
        await client.responses.create(model="mote", input="x", stream=stream)
    assert (late.value.status_code, "retry-after" in late.value.response.headers) == (503, True)


async def test_what_fails_in_an_open_stream_is_told_twice(pool: Served, client: openai.AsyncOpenAI) -> None:
    pool.hub.script = lambda _order: [BEGUN, Delta(index=0, ids=(1,), text="He"), AnswerLost("It broke off.")]
    events = [event async for event in await client.responses.create(model="mote", input="x", stream=True)]
    error, failed = events[-2:]
    assert (error.type, failed.type) == ("error", "response.failed")
    assert error.type == "error" and "broke off" in error.message
    assert failed.type == "response.failed" and failed.response.status == "failed"


async def test_a_waiting_client_is_told_its_place_and_may_leave(pool: Served) -> None:
    gate = asyncio.Event()
    pool.hub.script = lambda _order: [Queued(position=2, estimate_s=None), gate]
    headers = {"authorization": f"Bearer {KEY}"}
    body = {"model": "mote", "input": "x", "stream": True}
    async with (
        httpx.AsyncClient(base_url=pool.url, headers=headers) as http,
        http.stream("POST", "/v1/responses", json=body) as reply,
    ):
        assert reply.headers["x-request-id"] == pool.hub.orders[0].job
        async for line in reply.aiter_lines():
            if line == ": queued position=2":
                break
    await asyncio.wait_for(pool.hub.streams[0].cancelled.wait(), 2)
