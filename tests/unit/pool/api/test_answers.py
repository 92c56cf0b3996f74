"""Chat and text completions over real sockets, by OpenAI's own library and by raw HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import openai
import pytest
from fakes.hub import WORKER, answering, card, ended
from fakes.poolserver import Served, served
from fakes.records import KEY

from iamine.wire.messages import ChatWork, CompletionWork, TokenLogprob, TopToken
from pool.api.settings import Settings
from pool.errors import AnswerLost, ContextTooLong, DeadlineExceeded, InvalidRequest
from pool.routing.types import Begun, Delta, Queued

FAST = Settings(open_after_s=0.05, comment_every_s=0.05, concurrent_per_key=2)
BEGUN = Begun(worker=WORKER, epoch=1, prompt_tokens=7, cached_tokens=2)
HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
CHAT = {"model": "mote", "messages": HELLO}


@pytest.fixture
async def pool() -> AsyncIterator[Served]:
    async with served(FAST) as running:
        yield running
        await running.dispatch.drain(1.0)
        assert running.hub.taken == 0


@pytest.fixture
async def client(pool: Served) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{pool.url}/v1", api_key=KEY, max_retries=0) as sdk:
        yield sdk


@pytest.fixture
async def http(pool: Served) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=pool.url, headers={"authorization": f"Bearer {KEY}"}) as raw:
        yield raw


def token(index: int, text: str) -> TokenLogprob:
    data = tuple(text.encode())
    return TokenLogprob(id=index, logprob=-0.5, bytes=data, top=(TopToken(id=index, logprob=-0.5, bytes=data),))


def tokens(*texts: str) -> list[Any]:
    """An answer with log probabilities."""
    deltas = [Delta(index=i, ids=(i,), text=text, logprobs=(token(i, text),)) for i, text in enumerate(texts)]
    return [BEGUN, *deltas, ended(len(texts))]


async def test_a_plain_chat(pool: Served, client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model="mote", messages=HELLO, max_tokens=5)
    assert answer.choices[0].message.content == "Hello there"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (7, 2)
    (order,) = pool.hub.orders
    assert isinstance(order.work, ChatWork)
    assert json.loads(bytes(order.work.messages)) == HELLO
    assert order.sampling.max_tokens == 5
    assert order.deadline_s == pool.hub.now + 100
    assert pool.records.finished[0].status == "complete"
    assert answer._request_id == order.job


async def test_a_streamed_chat_with_usage(pool: Served, client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="mote", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "Hello there"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert [c.usage is None for c in chunks] == [True] * (len(chunks) - 1) + [False]
    assert pool.hub.orders[0].deadline_s == pool.hub.now + 300


async def test_n_choices_differ_in_their_seed_and_share_the_prompt(pool: Served, client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model="mote", messages=HELLO, n=2, seed=10)
    assert [c.message.content for c in answer.choices] == ["Hello there"] * 2
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (7, 4)
    assert [order.sampling.seed for order in pool.hub.orders] == [10, 11]
    assert len({order.job for order in pool.hub.orders}) == 2
    (done,) = pool.records.finished
    assert [(s.start, s.stop) for s in done.segments] == [(0, 2), (2, 4)]
    stream = await client.chat.completions.create(model="mote", messages=HELLO, n=2, stream=True)
    texts = ["", ""]
    async for chunk in stream:
        texts[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
    assert texts == ["Hello there"] * 2


@pytest.mark.parametrize("stream", [False, True])
async def test_logprobs_go_with_their_text(pool: Served, client: openai.AsyncOpenAI, stream: bool) -> None:
    pool.hub.script = lambda _order: tokens("He", "y")
    asked: dict[str, Any] = {"model": "mote", "messages": HELLO, "logprobs": True, "top_logprobs": 1}
    if stream:
        chunks = [c.choices[0] async for c in await client.chat.completions.create(**asked, stream=True)]
        told = [entry for c in chunks if c.logprobs for entry in c.logprobs.content or ()]
    else:
        told = (await client.chat.completions.create(**asked)).choices[0].logprobs.content
    assert [(entry.token, entry.logprob, entry.top_logprobs[0].token) for entry in told] == [
        ("He", -0.5, "He"),
        ("y", -0.5, "y"),
    ]


TOOLS: list[Any] = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}]


@pytest.mark.parametrize("stream", [False, True])
async def test_tool_calls(pool: Served, client: openai.AsyncOpenAI, stream: bool) -> None:
    text = 'Well.\n<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>'
    pool.hub.script = lambda _order: answering(*(text[i : i + 5] for i in range(0, len(text), 5)))
    asked: dict[str, Any] = {"model": "mote", "messages": HELLO, "tools": TOOLS}
    if stream:
        async with client.chat.completions.stream(**asked) as events:
            completion = await events.get_final_completion()
    else:
        completion = await client.chat.completions.create(**asked)
    (choice,) = completion.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content == "Well.\n"
    (call,) = choice.message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("add", {"a": 1})


@pytest.mark.parametrize("stream", [False, True])
async def test_reasoning_is_told_apart_from_the_answer(pool: Served, client: openai.AsyncOpenAI, stream: bool) -> None:
    pool.hub.cards = (card(tool_format="qwen-coder", reasoning_format="think"),)
    call = "<tool_call>\n<function=add>\n<parameter=a>\n1\n</parameter>\n</function>\n</tool_call>"
    text = f"<think>\nI add.\n</think>\n\nWell.\n\n{call}"
    pool.hub.script = lambda _order: answering(*(text[i : i + 5] for i in range(0, len(text), 5)))
    tools: Any = [
        {
            "type": "function",
            "function": {"name": "add", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}},
        }
    ]
    asked: dict[str, Any] = {"model": "mote", "messages": HELLO, "tools": tools}
    if stream:
        deltas = [c.choices[0].delta async for c in await client.chat.completions.create(**asked, stream=True) if c.choices]
        reasoning = "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)
        content = "".join(delta.content or "" for delta in deltas)
        arguments = "".join(call.function.arguments for delta in deltas for call in delta.tool_calls or [])
    else:
        completion = await client.chat.completions.create(**asked)
        message = completion.choices[0].message
        reasoning, content, arguments = message.reasoning_content, message.content, message.tool_calls[0].function.arguments
        assert completion.usage is not None and completion.usage.completion_tokens_details is not None
        assert 0 < completion.usage.completion_tokens_details.reasoning_tokens < completion.usage.completion_tokens
    assert (reasoning, content, arguments) == ("I add.", "Well.\n\n", '{"a": 1}')


async def test_tools_need_a_model_that_can_call_them(pool: Served, client: openai.AsyncOpenAI) -> None:
    pool.hub.cards = (card(tool_format=""),)
    with pytest.raises(openai.BadRequestError) as caught:
        await client.chat.completions.create(model="mote", messages=HELLO, tools=TOOLS)
    assert caught.value.param == "tools"
    await client.chat.completions.create(model="mote", messages=HELLO, tools=TOOLS, tool_choice="none")


async def test_errors_are_the_librarys_exceptions(pool: Served, client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        await client.chat.completions.create(model="nope", messages=HELLO)
    assert missing.value.code == "model_not_found"
    assert "mote" in missing.value.message
    with pytest.raises(openai.BadRequestError) as bad:
        await client.chat.completions.create(model="mote", messages=HELLO, temperature=3)
    assert bad.value.param == "temperature"
    with pytest.raises(openai.AuthenticationError):
        await client.with_options(api_key="im_wrong").chat.completions.create(model="mote", messages=HELLO)
    assert pool.hub.orders == []


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidRequest("bad grammar", param="grammar"), 400),
        (ContextTooLong("too long"), 400),
        (DeadlineExceeded("nobody came"), 503),
    ],
)
async def test_what_fails_before_the_first_token_is_a_status(
    pool: Served, http: httpx.AsyncClient, error: Any, status: int, stream: bool
) -> None:
    pool.hub.script = lambda _order: [Queued(position=1, estimate_s=None), error]
    reply = await http.post("/v1/chat/completions", json=CHAT | {"stream": stream})
    assert reply.status_code == status
    assert reply.json()["error"]["code"] == error.code
    assert ("retry-after" in reply.headers) == (status == 503)
    await pool.dispatch.drain(1.0)
    assert [done.status for done in pool.records.finished] == ["failed"]


async def test_what_fails_in_an_open_stream_is_an_error_event_without_done(pool: Served, client: openai.AsyncOpenAI) -> None:
    pool.hub.script = lambda _order: [BEGUN, Delta(index=0, ids=(1,), text="He"), AnswerLost("It broke off.")]
    stream = await client.chat.completions.create(model="mote", messages=HELLO, stream=True)
    told = ""
    with pytest.raises(openai.APIError, match="broke off"):
        async for chunk in stream:
            told += chunk.choices[0].delta.content or ""
    assert told == "He"
    await pool.dispatch.drain(1.0)
    assert [(done.status, done.completion_tokens) for done in pool.records.finished] == [("failed", 1)]


async def test_a_stream_that_fails_has_no_done_line(pool: Served, http: httpx.AsyncClient) -> None:
    pool.hub.script = lambda _order: [BEGUN, AnswerLost("It broke off.")]
    reply = await http.post("/v1/chat/completions", json=CHAT | {"stream": True})
    assert (reply.status_code, reply.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    last = reply.text.strip().split("\n\n")[-1]
    assert json.loads(last.removeprefix("data: "))["error"]["code"] == "answer_lost"


async def test_a_waiting_client_is_told_its_place_each_second(pool: Served, http: httpx.AsyncClient) -> None:
    gate, moved = asyncio.Event(), asyncio.Event()
    pool.hub.script = lambda _order: [
        Queued(position=2, estimate_s=3.14),
        gate,
        BEGUN,
        Delta(index=0, ids=(1,), text="He"),
        Queued(position=1, estimate_s=None),
        moved,
        Begun(worker=WORKER, epoch=2, prompt_tokens=7, cached_tokens=0),
        Delta(index=1, ids=(2,), text="y"),
        ended(2),
    ]
    lines: list[str] = []
    async with http.stream("POST", "/v1/chat/completions", json=CHAT | {"stream": True}) as reply:
        assert reply.headers["cache-control"] == "no-cache"
        assert reply.headers["x-accel-buffering"] == "no"
        assert reply.headers["x-request-id"] == pool.hub.orders[0].job
        async for line in reply.aiter_lines():
            lines.append(line)
            if lines.count(": queued position=2 estimate_s=3.1") == 2:
                gate.set()
            if line == ": queued position=1":
                moved.set()
    chunks = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == "Hey"
    assert lines[-2:] == ["data: [DONE]", ""]
    assert "x_iamine" in chunks[-1]


async def test_a_key_may_run_only_so_many_requests_at_once(pool: Served, http: httpx.AsyncClient) -> None:
    gate = asyncio.Event()
    pool.hub.script = lambda _order: [gate, *answering("x")]
    running = [asyncio.create_task(http.post("/v1/chat/completions", json=CHAT)) for _ in range(2)]
    while len(pool.hub.orders) < 2:
        await asyncio.sleep(0.005)
    refused = await http.post("/v1/chat/completions", json=CHAT)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    gate.set()
    assert [(await one).status_code for one in running] == [200, 200]
    assert (await http.post("/v1/chat/completions", json=CHAT)).status_code == 200


async def test_a_text_completion(pool: Served, client: openai.AsyncOpenAI) -> None:
    answer = await client.completions.create(model="mote", prompt=["a", "b"], n=2, echo=True)
    assert [c.text for c in answer.choices] == ["aHello there", "aHello there", "bHello there", "bHello there"]
    assert [o.work.prompt for o in pool.hub.orders if isinstance(o.work, CompletionWork)] == ["a", "a", "b", "b"]
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (14, 8)
    stream = await client.completions.create(model="mote", prompt=[1, 2], stream=True)
    assert "".join([chunk.choices[0].text async for chunk in stream]) == "Hello there"


async def test_old_logprobs(pool: Served, client: openai.AsyncOpenAI) -> None:
    pool.hub.script = lambda _order: tokens("He", "y")
    answer = await client.completions.create(model="mote", prompt="x", logprobs=1)
    told = answer.choices[0].logprobs
    assert told is not None
    assert (told.tokens, told.text_offset, told.top_logprobs) == (["He", "y"], [0, 2], [{"He": -0.5}, {"y": -0.5}])


async def test_an_exception_of_ours_is_a_500_that_tells_nothing(
    pool: Served, http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_order: object) -> Any:
        raise KeyError("secret prompt")

    pool.hub.script = broken
    reply = await http.post("/v1/chat/completions", json=CHAT)
    assert reply.status_code == 500
    assert "secret" not in reply.text
    assert "secret" not in caplog.text
    assert "KeyError" in caplog.text
