"""Answering: a request becomes jobs, and however it ends, no slot stays taken and its end is on record."""

import asyncio
import json
import socket
from contextlib import closing, suppress
from typing import Any

import pytest
from fakes.hub import WORKER, FakeHub, answering, card, ended, vectors
from fakes.records import ACCOUNT, FakeRecords

from iamine.ids import WorkerId
from iamine.wire.messages import ChatWork, CompletionWork, EmbeddingWork
from pool.dispatch.events import Accepted, AnswerEvent, ChoiceDelta, ChoiceEnded, Done, Reading, Waiting
from pool.dispatch.service import Dispatch, Limits, fingerprint
from pool.errors import AnswerLost, ContextTooLong, InvalidRequest, ModelNotFound, RateLimited, Unavailable
from pool.openai.chat import parse_chat
from pool.openai.completions import parse_completion
from pool.openai.embeddings import parse_embeddings
from pool.openai.types import ChatRequest, CompletionRequest, EmbeddingsRequest
from pool.routing.types import Begun, Delta, Prefilled, Queued, Segment

BEGUN = Begun(worker=WORKER, epoch=1, prompt_tokens=7, cached_tokens=2)


def chat(**fields: Any) -> ChatRequest:
    body = {"model": "mote", "messages": [{"role": "user", "content": "Hello"}]} | fields
    return parse_chat(json.dumps(body).encode(), seed=1)


def completion(**fields: Any) -> CompletionRequest:
    return parse_completion(json.dumps({"model": "mote", "prompt": "Once"} | fields).encode(), seed=1)


def embedding(**fields: Any) -> EmbeddingsRequest:
    return parse_embeddings(json.dumps({"model": "embed", "input": ["a", "b"]} | fields).encode())


class Bench:
    """A dispatch between fakes."""

    def __init__(self, **hub: Any) -> None:
        self.hub = FakeHub(**hub)
        self.records = FakeRecords()
        self.dispatch = Dispatch(hub=self.hub, records=self.records, wall_time=lambda: 1234.5, random_bytes=bytes)

    async def tell(self, request: ChatRequest | CompletionRequest) -> list[AnswerEvent]:
        """All events of the answer."""
        is_chat = isinstance(request, ChatRequest)
        begin = self.dispatch.chat(request, ACCOUNT) if is_chat else self.dispatch.completion(request, ACCOUNT)  # type: ignore[arg-type]
        with closing(await begin) as answer:
            return [event async for event in answer]

    def statuses(self) -> list[str]:
        return [done.status for done in self.records.finished]


async def test_an_answer_is_told_from_waiting_to_done() -> None:
    bench = Bench()
    steps = [Queued(position=2, estimate_s=1.5), BEGUN, Prefilled(done_tokens=3, total_tokens=7)]
    bench.hub.script = lambda _order: [*steps, Delta(index=0, ids=(1, 2), text="Hi"), ended(2, text="!")]
    events = await bench.tell(chat())
    assert events[:-1] == [
        Waiting(position=2, estimate_s=1.5),
        Accepted(),
        Reading(done_tokens=3, total_tokens=7),
        ChoiceDelta(choice=0, content="Hi"),
        ChoiceDelta(choice=0, content="!"),
        ChoiceEnded(choice=0, finish_reason="stop"),
    ]
    done = events[-1]
    assert isinstance(done, Done)
    assert (done.usage.prompt_tokens, done.usage.completion_tokens, done.usage.cached_tokens) == (7, 2, 2)
    assert [(s.worker, s.start, s.stop) for s in done.origin.spans] == [(WORKER, 0, 2)]
    (finished,) = bench.records.finished
    assert (finished.status, finished.prompt_tokens, finished.completion_tokens) == ("complete", 7, 2)
    assert finished.segments == (Segment(worker=WORKER, start=0, stop=2),)


async def test_an_order_carries_what_the_worker_needs() -> None:
    bench = Bench()
    await bench.tell(chat(max_tokens=10_000))
    await bench.tell(chat(stream=True))
    plain, stream = bench.hub.orders
    assert isinstance(plain.work, ChatWork)
    assert plain.sampling.max_tokens == stream.sampling.max_tokens == 2048
    assert (plain.wall_time_s, plain.deadline_s, stream.deadline_s) == (1234.5, 1100.0, 1300.0)
    assert (plain.account, plain.model, plain.job) == (ACCOUNT, "mote", bench.records.begun[0])
    assert plain.estimated_prompt_tokens > 0


async def test_a_default_answer_is_bounded() -> None:
    hub = FakeHub()
    dispatch = Dispatch(hub=hub, records=FakeRecords(), limits=Limits(answer_cap_tokens=100))
    (await dispatch.chat(chat(), ACCOUNT)).close()
    (await dispatch.chat(chat(max_tokens=200), ACCOUNT)).close()
    assert [order.sampling.max_tokens for order in hub.orders] == [100, 200]
    await dispatch.drain(1.0)


async def test_samples_and_prompts_become_orders_in_order() -> None:
    bench = Bench()
    events = await bench.tell(completion(prompt=["a", "b"], n=2, echo=True))
    works = [order.work for order in bench.hub.orders]
    assert [work.prompt for work in works if isinstance(work, CompletionWork)] == ["a", "a", "b", "b"]
    assert [order.job[-2:] for order in bench.hub.orders] == [".0", ".1", ".2", ".3"]
    texts = ["", "", "", ""]
    for event in events:
        if isinstance(event, ChoiceDelta):
            texts[event.choice] += event.content
    assert texts == ["aHello there", "aHello there", "bHello there", "bHello there"]
    assert events.count(Accepted()) == 1
    done = events[-1]
    assert isinstance(done, Done)
    assert (done.usage.prompt_tokens, done.usage.completion_tokens) == (14, 8)
    (finished,) = bench.records.finished
    assert [(s.start, s.stop) for s in finished.segments] == [(0, 2), (2, 4), (4, 6), (6, 8)]


async def test_an_answer_that_moved_tells_both_workers() -> None:
    bench = Bench()
    other = WorkerId("wrk_other")
    segments = (Segment(worker=WORKER, start=0, stop=1), Segment(worker=other, start=1, stop=2))
    bench.hub.script = lambda _order: [
        BEGUN,
        Delta(index=0, ids=(1,), text="He"),
        Begun(worker=other, epoch=2, prompt_tokens=7, cached_tokens=0),
        Delta(index=1, ids=(2,), text="y"),
        AnswerLost("gone"),
    ]
    with pytest.raises(AnswerLost):
        await bench.tell(chat())
    await bench.dispatch.drain(1.0)
    (finished,) = bench.records.finished
    assert (finished.status, finished.completion_tokens, finished.segments) == ("failed", 2, segments)


@pytest.mark.parametrize(
    ("request_", "cards", "error", "param"),
    [
        (chat(model="x"), None, ModelNotFound, "model"),
        (chat(), (card(kind="embedding"),), InvalidRequest, "model"),
        (chat(), (card(kind="completion"),), InvalidRequest, "model"),
        (chat(tools=[{"type": "function", "function": {"name": "f"}}]), (card(tool_format=""),), InvalidRequest, "tools"),
        (chat(logit_bias={"1000": 1}), None, InvalidRequest, "logit_bias.1000"),
        (completion(logit_bias={"1000": 1}), None, InvalidRequest, "logit_bias.1000"),
        (completion(prompt=[1000]), None, InvalidRequest, "prompt"),
        (completion(prompt=[1] * 2048), None, ContextTooLong, "prompt"),
    ],
)
async def test_what_a_model_cannot_do_is_refused_before_a_job_exists(
    request_: ChatRequest | CompletionRequest, cards: Any, error: type[Exception], param: str
) -> None:
    bench = Bench(cards=cards)
    with pytest.raises(error) as caught:
        await bench.tell(request_)
    assert caught.value.param == param  # type: ignore[attr-defined]
    assert bench.hub.orders == []
    assert bench.records.begun == []


async def test_a_pool_without_models_says_so() -> None:
    with pytest.raises(ModelNotFound) as caught:
        await Bench(cards=()).tell(chat())
    assert "none yet" in caught.value.hint


TOOLS = [
    {"type": "function", "function": {"name": "add", "strict": True, "parameters": {"type": "object", "required": ["a"]}}},
    {"type": "function", "function": {"name": "look"}},
]


def calls(*bodies: str) -> list[Any]:
    return answering(*(f"<tool_call>{body}</tool_call>" for body in bodies))


async def test_calls_are_told_and_end_the_choice_as_such() -> None:
    bench = Bench()
    bench.hub.script = lambda _order: calls('{"name": "add", "arguments": {"a": 1}}', '{"name": "look"}')
    events = await bench.tell(chat(tools=TOOLS))
    told = [event.call for event in events if isinstance(event, ChoiceDelta) and event.call]
    assert [(call.index, call.name, call.arguments) for call in told] == [(0, "add", '{"a": 1}'), (1, "look", "{}")]
    assert ChoiceEnded(choice=0, finish_reason="tool_calls") in events


@pytest.mark.parametrize("body", ['{"name": "other"}', '{"name": "add", "arguments": {}}', "nonsense"])
async def test_calls_that_the_client_did_not_offer_are_content(body: str) -> None:
    bench = Bench()
    bench.hub.script = lambda _order: calls(body)
    events = await bench.tell(chat(tools=TOOLS))
    assert ChoiceDelta(choice=0, content=f"<tool_call>{body}</tool_call>") in events
    assert ChoiceEnded(choice=0, finish_reason="stop") in events


@pytest.mark.parametrize(
    ("choice", "texts", "name", "reason"),
    [
        ("required", ('{"name": "look", ', '"arguments": {}}'), "look", "tool_calls"),
        ({"type": "function", "function": {"name": "add"}}, ('{"name": "add", "arguments": {"a": 1}}',), "add", "tool_calls"),
        ("required", ('{"name": "lo',), None, "length"),
        ("required", (), None, "length"),
    ],
)
@pytest.mark.parametrize("parallel", [True, False])
async def test_a_call_that_must_be_made(
    choice: Any, texts: tuple[str, ...], name: str | None, reason: str, parallel: bool
) -> None:
    bench = Bench()
    bench.hub.script = lambda _order: answering(*texts, reason="stop" if name else "length")
    events = await bench.tell(chat(tools=TOOLS, tool_choice=choice, parallel_tool_calls=parallel))
    told = [event for event in events if isinstance(event, ChoiceDelta)]
    assert [event.call.name for event in told if event.call] == ([name] if name else [])
    assert "".join(event.content for event in told) == ("" if name else "".join(texts))
    assert [event.finish_reason for event in events if isinstance(event, ChoiceEnded)] == [reason]
    assert bench.hub.orders[0].sampling.grammar is not None


@pytest.mark.parametrize("tail", ["</tool_call>", ""])
@pytest.mark.parametrize("n", [1, 2])
async def test_without_parallel_calls_the_first_ends_the_choice(tail: str, n: int) -> None:
    bench = Bench()
    text = '<tool_call>{"name": "look"}' + tail
    rest = [Delta(index=1, ids=(2,), text=text), asyncio.Event()] if tail else []
    bench.hub.script = lambda _order: [BEGUN, Delta(index=0, ids=(1,), text=text), *rest, ended(1)]
    events = await asyncio.wait_for(bench.tell(chat(tools=TOOLS, parallel_tool_calls=False, n=n)), 1)
    told = [event for event in events if isinstance(event, ChoiceDelta)]
    assert [event.call.name for event in told if event.call] == ["look"] * n
    assert [event.finish_reason for event in events if isinstance(event, ChoiceEnded)] == ["tool_calls"] * n
    assert (bench.statuses(), bench.hub.taken) == (["complete"], 0)


@pytest.mark.parametrize("parameters", [{"type": "nothing"}, {"$ref": "#/nowhere"}])
async def test_a_strict_schema_must_be_one(parameters: dict[str, Any]) -> None:
    bench = Bench()
    with pytest.raises(InvalidRequest) as caught:
        await bench.tell(chat(tools=[strict(parameters)]))
    assert caught.value.param == "tools[0].function.parameters"
    assert bench.hub.orders == []


def strict(parameters: dict[str, Any]) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "f", "strict": True, "parameters": parameters}}


async def test_a_clients_schema_never_makes_the_pool_read_from_elsewhere() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        schema = {"$ref": f"http://127.0.0.1:{listener.getsockname()[1]}/schema"}
        with pytest.raises(InvalidRequest, match="not followed"):
            await Bench().tell(chat(tools=[strict(schema)]))
        with pytest.raises(BlockingIOError):
            listener.accept()


async def test_without_a_database_nothing_is_begun_and_nothing_stays_taken() -> None:
    bench = Bench()
    bench.records.away = Unavailable("The database is away.")
    with pytest.raises(Unavailable):
        await bench.tell(chat())
    await bench.dispatch.drain(1.0)
    assert (bench.records.finished, bench.hub.taken) == ([], 0)


async def test_an_end_that_cannot_be_recorded_does_not_take_the_answer_away(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    bench.records.finish_away = Unavailable("The database is away.")
    assert isinstance((await bench.tell(chat()))[-1], Done)
    assert "could not be recorded" in caplog.text


async def test_orders_are_submitted_all_or_none() -> None:
    bench = Bench()
    bench.hub.refusal = RateLimited("The queue is full.")
    with pytest.raises(RateLimited):
        await bench.tell(chat(n=3))
    assert (len(bench.hub.streams), bench.hub.taken, bench.records.begun) == (1, 0, [])


@pytest.mark.parametrize("n", [1, 2])
async def test_a_stream_that_ends_without_an_end_is_an_answer_lost(n: int) -> None:
    bench = Bench()
    bench.hub.script = lambda _order: [BEGUN]
    with pytest.raises(AnswerLost):
        await bench.tell(chat(n=n))
    await bench.dispatch.drain(1.0)
    assert (bench.statuses(), bench.hub.taken) == (["failed"], 0)


@pytest.mark.parametrize("n", [1, 2])
async def test_an_error_of_one_choice_ends_them_all(n: int) -> None:
    bench = Bench()
    bench.hub.script = lambda order: [BEGUN, AnswerLost("gone")] if order is bench.hub.orders[0] else [asyncio.Event()]
    with pytest.raises(AnswerLost, match="gone"):
        await bench.tell(chat(n=n))
    await bench.dispatch.drain(1.0)
    assert (bench.statuses(), bench.hub.taken) == (["failed"], 0)


async def test_a_prompt_that_does_not_fit_is_named() -> None:
    bench = Bench()
    bench.hub.script = lambda _order: [ContextTooLong("too long")]
    with pytest.raises(ContextTooLong) as caught:
        await bench.tell(chat())
    assert caught.value.param == "messages"


async def test_closing_twice_records_once() -> None:
    bench = Bench()
    answer = await bench.dispatch.chat(chat(), ACCOUNT)
    await answer.__anext__()
    answer.close()
    answer.close()
    assert [event async for event in answer] == []
    await bench.dispatch.drain(1.0)
    assert (bench.statuses(), bench.hub.taken) == (["cut"], 0)


@pytest.mark.parametrize("kind", ["chat", "several", "embeddings", "failing"])
@pytest.mark.parametrize("turns", range(30))
async def test_a_client_gone_at_any_moment_leaves_no_slot_taken_and_one_end(kind: str, turns: int) -> None:
    cards = (card(), card("embed", kind="embedding"))
    steps: list[Any] = [0.0, BEGUN, 0.0, Delta(index=0, ids=(1,), text="Hi"), 0.0, ended(1), 0.0]
    if kind == "failing":
        steps = [0.0, BEGUN, 0.0, AnswerLost("gone")]
    bench = Bench(cards=cards, script=lambda _order: [0.0, *vectors((1.0,), (0.5,))] if kind == "embeddings" else steps)
    bench.records.gate = asyncio.Event()

    async def ask() -> None:
        with suppress(AnswerLost):
            if kind == "embeddings":
                await bench.dispatch.embeddings(embedding(), ACCOUNT)
            else:
                await bench.tell(chat(n=2 if kind == "several" else 1))

    client = asyncio.create_task(ask())
    for turn in range(turns):
        await asyncio.sleep(0)
        if turn == 3:
            bench.records.gate.set()
    client.cancel()
    await asyncio.wait({client})
    assert bench.hub.taken == 0
    bench.records.gate.set()
    await bench.dispatch.drain(1.0)
    assert len(bench.records.finished) == len(bench.records.begun) == (1 if bench.hub.orders else 0)


async def test_embeddings() -> None:
    bench = Bench(cards=(card("embed", kind="embedding"),), script=lambda _order: vectors((1.0, 0.0), (0.0, 1.0)))
    told = await bench.dispatch.embeddings(embedding(dimensions=2), ACCOUNT)
    assert (told.vectors, told.prompt_tokens) == (((1.0, 0.0), (0.0, 1.0)), 3)
    assert isinstance(bench.hub.orders[0].work, EmbeddingWork)
    assert bench.hub.orders[0].work.inputs == ("a", "b")
    assert (bench.statuses(), told.job) == (["complete"], bench.records.begun[0])


@pytest.mark.parametrize(
    ("fields", "script", "error"),
    [
        ({"dimensions": 3}, vectors((1.0,), (0.5,)), InvalidRequest),
        ({}, vectors((1.0,)), AnswerLost),
        ({}, [BEGUN], AnswerLost),
        ({}, [InvalidRequest("no")], InvalidRequest),
    ],
)
async def test_embeddings_that_fail_free_their_slot(fields: Any, script: Any, error: type[Exception]) -> None:
    bench = Bench(cards=(card("embed", kind="embedding"),), script=lambda _order: script)
    with pytest.raises(error):
        await bench.dispatch.embeddings(embedding(**fields), ACCOUNT)
    await bench.dispatch.drain(1.0)
    assert (bench.statuses(), bench.hub.taken) == (["failed"], 0)


async def test_embeddings_need_a_model_that_embeds() -> None:
    with pytest.raises(InvalidRequest, match="/v1/chat/completions"):
        await Bench().dispatch.embeddings(embedding(model="mote"), ACCOUNT)


def test_the_fingerprint_is_the_files() -> None:
    assert fingerprint(card()) == "fp_ababababab"
    assert fingerprint(card(file_sha256=())) == "fp_unknown"
