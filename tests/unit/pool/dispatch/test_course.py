"""One choice made by several jobs: it moves, goes on from its text, and thinks; the client is told one answer."""

import asyncio
import json
from contextlib import closing
from typing import Any

import pytest
from fakes.hub import WORKER, FakeHub, Step, answering, card, ended
from fakes.records import ACCOUNT, FakeRecords
from hypothesis import given
from hypothesis import strategies as st

from iamine.ids import ModelId, WorkerId
from iamine.wire.messages import ChatWork
from pool.dispatch.choice import TURN
from pool.dispatch.events import AnswerEvent, ChoiceDelta, ChoiceEnded, Done, Moved, Thinking
from pool.dispatch.limits import Limits
from pool.dispatch.route import Routing
from pool.dispatch.service import Dispatch
from pool.errors import AnswerLost, ContextTooLong, DeadlineExceeded, PoolError
from pool.openai.chat import parse_chat
from pool.openai.types import ChatRequest, Usage
from pool.routing.types import Begun, Delta, JobOrder, Queued
from pool.toolcalls import think_tool

TIERS: Any = {"mini": "micro", "mid": "medium", "big": "large"}
BEGUN = Begun(worker=WORKER, epoch=1, prompt_tokens=7, cached_tokens=2)
LATE = Begun(worker=WorkerId("wrk_late"), epoch=2, prompt_tokens=7, cached_tokens=0)
WAITS = Queued(position=1, estimate_s=None)
LOOK = [{"type": "function", "function": {"name": "look"}}]
ASKS = '<tool_call>{"name": "think", "arguments": {"question": "Why?"}}</tool_call>'
LOOKS = '<tool_call>{"name": "look", "arguments": {}}</tool_call>'


def chat(**fields: Any) -> ChatRequest:
    body = {"model": "mini", "messages": [{"role": "user", "content": "Hello"}]} | fields
    return parse_chat(json.dumps(body).encode(), seed=1)


class Bench:
    """A dispatch between fakes; the scripts are those of the jobs in the order they come, or of a model."""

    def __init__(self, *scripts: list[Any], big: list[Any] | None = None, cards: Any = None, **limits: Any) -> None:
        self.scripts = list(scripts)
        self.big = big
        self.hub = FakeHub(self.script, cards=cards or (card("mini"), card("big")))
        self.records = FakeRecords()
        self.dispatch = Dispatch(
            hub=self.hub, records=self.records, limits=Limits(**limits), routing=Routing(model_tiers=TIERS)
        )  # fmt: skip

    def script(self, order: JobOrder) -> list[Step]:
        if order.model == "big" and self.big is not None:
            return self.big
        return self.scripts.pop(0)

    async def tell(self, request: ChatRequest) -> list[AnswerEvent]:
        with closing(await self.dispatch.chat(request, ACCOUNT)) as answer:
            told = [event async for event in answer]
        await self.dispatch.drain(1.0)
        assert self.hub.taken == 0
        return told

    @property
    def models(self) -> list[str]:
        return [order.model for order in self.hub.orders]


class Clock(FakeHub):
    """A hub whose clock goes on by a second whenever it is looked at."""

    def monotonic(self) -> float:
        self.now += 1.0
        return self.now


def text(told: list[AnswerEvent]) -> str:
    return "".join(event.content for event in told if isinstance(event, ChoiceDelta))


def done(told: list[AnswerEvent]) -> Done:
    assert isinstance(told[-1], Done)
    return told[-1]


def messages(order: JobOrder) -> list[dict[str, Any]]:
    assert isinstance(order.work, ChatWork)
    found: list[dict[str, Any]] = json.loads(bytes(order.work.messages))
    return found


def offered(order: JobOrder) -> list[str]:
    assert isinstance(order.work, ChatWork)
    return [tool["function"]["name"] for tool in json.loads(bytes(order.work.tools))]


# ---- the think tool -------------------------------------------------------------------------------------------------------


async def test_a_thought_is_asked_given_back_and_counted() -> None:
    bench = Bench(answering("Well.", ASKS), answering("So", " it is."), big=answering("Because", "."))
    told = await bench.tell(chat(max_tokens=100))
    assert text(told) == "Well.\n\nSo it is."
    assert not any(event.call for event in told if isinstance(event, ChoiceDelta))
    assert [event.finish_reason for event in told if isinstance(event, ChoiceEnded)] == ["stop"]
    assert Thinking(model=ModelId("big")) in told
    first, thought, then = bench.hub.orders
    assert (offered(first), offered(thought), offered(then)) == (["think"], [], ["think"])
    assert messages(thought) == [{"role": "user", "content": "Why?"}]
    assert [turn["role"] for turn in messages(then)] == ["user", "assistant", "tool"]
    assert (messages(then)[1]["content"], messages(then)[2]["content"]) == ("Well.", "Because.")
    assert (first.account, thought.account) == (ACCOUNT, ACCOUNT)
    assert (first.sampling.max_tokens, thought.sampling.max_tokens, then.sampling.max_tokens) == (100, 49, 96)
    assert len({order.job for order in bench.hub.orders}) == 3
    origin, usage = done(told).origin, done(told).usage
    assert usage == Usage(prompt_tokens=14, cached_tokens=4, completion_tokens=6, reasoning_tokens=3)
    assert [(one.model, one.worker, one.tokens, one.answered) for one in origin.thoughts] == [("big", WORKER, 2, True)]
    assert [(span.start, span.stop) for span in origin.spans] == [(0, 4)]
    (finished,) = bench.records.finished
    assert (finished.completion_tokens, [(s.start, s.stop) for s in finished.segments]) == (6, [(0, 4), (4, 6)])


@pytest.mark.parametrize(
    "big",
    [[AnswerLost("gone")], [BEGUN, AnswerLost("gone")], [BEGUN], answering(), [BEGUN, asyncio.Event()], answering(" ")],
    ids=["refused", "lost", "over", "empty", "too slow", "blank"],
)
async def test_a_thought_that_fails_is_told_honestly_and_the_answer_goes_on(big: list[Any]) -> None:
    bench = Bench(answering(ASKS), answering("I do not know."), big=big, think_timeout_s=0.05)
    told = await bench.tell(chat())
    assert text(told) == "I do not know."
    assert messages(bench.hub.orders[-1])[2]["content"] == think_tool.NO_ANSWER
    assert done(told).origin.thoughts[0].answered is False


async def test_at_most_two_are_asked_and_then_the_tool_is_taken_away() -> None:
    bench = Bench(answering(ASKS), answering(ASKS), answering(ASKS), answering(ASKS), big=answering("Because."))
    told = await bench.tell(chat())
    assert (text(told), done(told).origin.thoughts[1].answered) == ("", True)
    assert bench.models == ["mini", "big", "mini", "big", "mini", "mini"]
    assert messages(bench.hub.orders[-1])[-1]["content"] == think_tool.NO_MORE
    assert (offered(bench.hub.orders[-2]), offered(bench.hub.orders[-1])) == (["think"], [])
    assert [event.finish_reason for event in told if isinstance(event, ChoiceEnded)] == ["stop"]


async def test_the_tokens_of_all_parts_are_bounded_by_what_was_asked_for() -> None:
    bench = Bench(answering(*"abcdefgh", ASKS), big=answering("Because."))
    told = await bench.tell(chat(max_tokens=9))
    assert [event.finish_reason for event in told if isinstance(event, ChoiceEnded)] == ["length"]
    assert bench.models == ["mini"], "no room for a thought"
    bench = Bench(answering("a", ASKS), answering("b"), big=answering("Because."))
    await bench.tell(chat(max_tokens=12))
    assert [order.sampling.max_tokens for order in bench.hub.orders] == [12, 10]


async def test_a_clients_call_before_it_wins_and_one_behind_it_waits_for_the_next_turn() -> None:
    bench = Bench(answering(LOOKS, ASKS, LOOKS))
    told = await bench.tell(chat(tools=LOOK))
    calls = [event.call for event in told if isinstance(event, ChoiceDelta) and event.call]
    assert [(call.index, call.name) for call in calls] == [(0, "look"), (1, "look")]
    assert (bench.models, offered(bench.hub.orders[0])) == (["mini"], ["look", "think"])
    bench = Bench(answering(ASKS + LOOKS), answering(LOOKS), big=answering("Because."))
    told = await bench.tell(chat(tools=LOOK))
    (call,) = [event.call for event in told if isinstance(event, ChoiceDelta) and event.call]
    assert (call.index, call.name) == (0, "look")
    assert [event.finish_reason for event in told if isinstance(event, ChoiceEnded)] == ["tool_calls"]


async def test_each_of_several_choices_thinks_for_itself() -> None:
    bench = Bench(answering(ASKS), answering(ASKS), answering("a"), answering("b"), big=answering("Because."))
    told = await bench.tell(chat(n=2, logprobs=True))
    texts = ["", ""]
    for event in told:
        if isinstance(event, ChoiceDelta):
            texts[event.choice] += event.content
    assert sorted(texts) == ["a", "b"]
    assert len(done(told).origin.thoughts) == 2
    assert done(told).usage == Usage(prompt_tokens=7 * 3, cached_tokens=6, completion_tokens=6, reasoning_tokens=4)


async def test_a_worker_lost_in_any_part_is_replaced_there() -> None:
    moved = [BEGUN, Delta(index=0, ids=(1,), text="So"), LATE, Delta(index=1, ids=(2,), text=" it is."), ended(2)]
    lost = [BEGUN, Delta(index=0, ids=(1,), text=ASKS[:9]), LATE, Delta(index=1, ids=(2,), text=ASKS[9:]), asyncio.Event()]
    bench = Bench(lost, moved, big=answering("Because."))
    told = await bench.tell(chat())
    assert text(told) == "So it is."
    assert [(s.worker, s.start, s.stop) for s in done(told).origin.spans] == [
        (WORKER, 0, 1), ("wrk_late", 1, 2), (WORKER, 2, 4)
    ]  # fmt: skip


async def test_a_thought_too_long_for_the_small_model_is_taken_back() -> None:
    bench = Bench(answering(ASKS), [ContextTooLong("too long")], answering("Hm."), big=answering("Because."))
    assert text(await bench.tell(chat())) == "Hm."
    assert messages(bench.hub.orders[-1])[2]["content"] == think_tool.NO_ANSWER


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": LOOK, "tool_choice": "none"},
        {"tools": LOOK, "tool_choice": "required"},
        {"response_format": {"type": "json_object"}},
        {"stop": "."},
        {"model": "big"},
        {"tools": [{"type": "function", "function": {"name": "think"}}]},
    ],
)
async def test_it_is_not_offered_where_the_client_says_what_the_answer_is(fields: dict[str, Any]) -> None:
    bench = Bench(answering("Hi"), big=answering("Hi"))
    await bench.tell(chat(**fields))
    names = [tool["function"]["name"] for tool in fields.get("tools", ()) if fields.get("tool_choice") != "none"]
    assert offered(bench.hub.orders[0]) == names


@pytest.mark.parametrize("limits", [{}, {"think_tiers": ()}])
async def test_nor_without_a_larger_model_or_where_the_operator_switched_it_off(limits: dict[str, Any]) -> None:
    cards = (card("mini"), card("big", workers=1 if limits else 0))
    bench = Bench(answering("Hi"), cards=cards, **limits)
    await bench.tell(chat())
    assert offered(bench.hub.orders[0]) == []


async def test_a_larger_model_that_left_meanwhile_is_not_asked() -> None:
    bench = Bench()

    def script(order: JobOrder) -> list[Step]:
        bench.hub.cards = (card("mini"),)
        return answering("Hm.") if len(messages(order)) > 1 else answering(ASKS)

    bench.hub.script = script
    assert text(await bench.tell(chat())) == "Hm."
    assert bench.models == ["mini", "mini"]


@pytest.mark.parametrize("turns", range(40))
async def test_a_client_gone_while_a_thought_is_under_way_leaves_no_slot_taken(turns: int) -> None:
    bench = Bench([0.0, *answering(ASKS)], [0.0, *answering("So.")], big=[0.0, *answering("Because.")])

    async def ask() -> None:
        with closing(await bench.dispatch.chat(chat(), ACCOUNT)) as answer:
            async for _ in answer:
                pass

    client = asyncio.create_task(ask())
    for _ in range(turns):
        await asyncio.sleep(0)
    client.cancel()
    await asyncio.wait({client})
    assert bench.hub.taken == 0
    await bench.dispatch.drain(1.0)
    assert len(bench.records.finished) == len(bench.records.begun)


# ---- moving -----------------------------------------------------------------------------------------------------------------


def moving(*scripts: list[Any], gone: bool = True, **limits: Any) -> Bench:
    """A bench whose clock runs, and where `mini` has no worker once it was routed to."""
    bench = Bench(*scripts, **limits)
    hub = Clock(bench.script, cards=bench.hub.cards)
    bench.hub = hub
    bench.dispatch = Dispatch(hub=hub, records=bench.records, limits=Limits(**limits), routing=Routing(model_tiers=TIERS))
    inner = bench.script

    def script(order: JobOrder) -> list[Step]:
        if gone:
            hub.cards = (card("mini", workers=0), card("big"))
        return inner(order)

    hub.script = script
    return bench


async def test_a_job_that_waits_moves_when_its_model_is_gone() -> None:
    bench = moving([WAITS, WAITS, asyncio.Event()], answering("Hi"))
    told = await bench.tell(chat())
    assert (text(told), bench.models) == ("Hi", ["mini", "big"])
    (moved,) = [event for event in told if isinstance(event, Moved)]
    assert (moved.model, moved.chosen.tier, moved.chosen.degraded) == ("big", "large", False)
    assert moved.chosen.reason == "no worker offers mini now"
    origin = done(told).origin
    assert (origin.model, origin.chosen, [span.model for span in origin.spans]) == ("big", moved.chosen, [""])


async def test_it_stays_when_nothing_else_lives_and_fails_by_its_deadline() -> None:
    bench = moving([WAITS, WAITS, DeadlineExceeded("late")])
    bench.hub.cards = (card("mini"),)
    with pytest.raises(DeadlineExceeded):
        await bench.tell(chat(logit_bias={"7": 1}))
    assert bench.models == ["mini"]


async def test_an_answer_goes_on_from_its_text_when_its_model_is_gone_for_long() -> None:
    queue = [WAITS] * 6
    bench = moving([BEGUN, Delta(index=0, ids=(1, 2), text="One, "), *queue], answering("two."), same_model_wait_s=3.0)
    told = await bench.tell(chat(max_tokens=50))
    assert text(told) == "One, two."
    then = bench.hub.orders[-1]
    assert isinstance(then.work, ChatWork)
    assert (then.work.opening, then.sampling.max_tokens) == ("One, ", 48)
    origin = done(told).origin
    assert [(s.start, s.stop, s.model) for s in origin.spans] == [(0, 2, "mini"), (2, 3, "")]
    assert (done(told).usage.prompt_tokens, done(told).usage.completion_tokens) == (7, 3)


@pytest.mark.parametrize(
    ("fields", "said", "begun"),
    [
        ({"response_format": {"type": "json_object"}}, "{", BEGUN),
        ({"tools": LOOK}, "<tool_call>", BEGUN),
        ({"tools": LOOK, "tool_choice": "required"}, "{", BEGUN),
        ({"logit_bias": {"7": 1}}, "One", BEGUN),
    ],
)
async def test_it_waits_for_its_own_model_inside_a_call_or_a_grammar(fields: Any, said: str, begun: Begun) -> None:
    error: PoolError = AnswerLost("gone")
    bench = moving([begun, Delta(index=0, ids=(1,), text=said), *[WAITS] * 6, error], same_model_wait_s=1.0)
    with pytest.raises(AnswerLost):
        await bench.tell(chat(**fields))
    assert bench.models == ["mini"]


@pytest.mark.parametrize("said", ["<think>Hm", "<think>Hm</think>"])
async def test_inside_reasoning_and_right_behind_it_it_waits_too(said: str) -> None:
    bench = moving([BEGUN, Delta(index=0, ids=(1,), text=said), *[WAITS] * 6, AnswerLost("gone")])
    bench.hub.cards = (card("mini", reasoning_format="think"), card("big"))
    with pytest.raises(AnswerLost):
        await bench.tell(chat())


async def test_an_answer_given_up_by_the_scheduler_goes_on_from_its_text_at_once() -> None:
    bench = moving([BEGUN, Delta(index=0, ids=(1,), text="One"), AnswerLost("gone")], answering(" two."))
    assert text(await bench.tell(chat())) == "One two."


async def test_a_model_that_is_only_busy_is_waited_for_longer() -> None:
    begun = [BEGUN, Delta(index=0, ids=(1,), text="One")]
    for waits, models in ((5, ["mini"]), (12, ["mini", "big"])):
        queue = [*[WAITS] * waits, LATE, Delta(index=1, ids=(2,), text="."), ended(2)]
        bench = moving([*begun, *queue], answering("."), gone=False, same_model_wait_s=3.0)
        assert text(await bench.tell(chat())) == "One."
        assert bench.models == models


async def test_a_prompt_too_long_for_the_model_goes_to_one_with_the_room() -> None:
    bench = Bench([ContextTooLong("too long")], big=answering("Hi"), cards=(card("mini"), card("big", context_tokens=9000)))
    assert text(await bench.tell(chat())) == "Hi"
    bench = Bench([ContextTooLong("too long")])
    with pytest.raises(ContextTooLong):
        await bench.tell(chat())


async def test_who_goes_on_may_be_lost_too_and_nothing_is_said_twice() -> None:
    bench = moving([BEGUN, Delta(index=0, ids=(1,), text="One "), AnswerLost("gone")], same_model_wait_s=2.0)
    bench.hub.cards = (card("mini"), card("mid"), card("big", workers=0))
    first, then = bench.scripts.pop(), answering("two.")

    def script(order: JobOrder) -> list[Step]:
        if order.model == "mini":
            return first
        if order.model == "mid":
            bench.hub.cards = (card("mini", workers=0), card("mid", workers=0), card("big"))
            return [WAITS, WAITS, WAITS, WAITS, asyncio.Event()]
        return then

    bench.hub.script = script
    assert text(await bench.tell(chat())) == "One two."
    assert bench.models == ["mini", "mid", "big"]
    assert [getattr(order.work, "opening", None) for order in bench.hub.orders] == ["", "One ", "One "]


PARTS = st.lists(
    st.tuples(
        st.lists(st.sampled_from(["a", "b ", "cc"]), min_size=1, max_size=4), st.sampled_from(["lost", "late", "thinks"])
    ),
    max_size=6,
)


@given(PARTS, st.booleans())
async def test_whatever_becomes_of_its_jobs_the_client_is_told_everything_once(parts: Any, streams: bool) -> None:
    left = [*parts, (["z"], "ends")]
    cards = tuple(card(name) for name in ("mini", "mid", "big"))
    bench = Bench(cards=cards, think_tiers=("micro", "medium"))
    asked, told_texts = 0, []

    def script(order: JobOrder) -> list[Step]:
        nonlocal asked
        if ".t" in order.job:
            return answering("Because.")
        texts, fate = left.pop(0)
        if fate == "thinks" and (asked >= think_tool.MAX_CALLS or "think" not in offered(order)):
            fate = "lost"
        told_texts.extend(texts)
        steps: list[Step] = [BEGUN, *(Delta(index=i, ids=(i,), text=text) for i, text in enumerate(texts))]
        if fate == "thinks":
            asked += 1
            return [*steps, Delta(index=len(texts), ids=(1,), text=ASKS), ended(len(texts) + 1)]
        if fate == "ends":
            return [*steps, ended(len(texts))]
        return [*steps, AnswerLost("gone") if fate == "lost" else DeadlineExceeded("late")]

    bench.hub.script = script
    told = await bench.tell(chat(model="iamine-micro", stream=streams))
    assert text(told).replace(TURN, "") == "".join(told_texts)
    assert [type(event) for event in told].count(ChoiceEnded) == 1
    origin, usage = done(told).origin, done(told).usage
    assert usage.completion_tokens == len(told_texts) + asked + len(origin.thoughts)
    assert usage.reasoning_tokens == asked + len(origin.thoughts)
    spans = [(span.start, span.stop) for span in origin.spans]
    assert [start for start, _ in spans] == [0, *(stop for _, stop in spans[:-1])], "no gap, no overlap"
    assert spans[-1][1] == len(told_texts) + asked
