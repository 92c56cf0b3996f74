"""One choice made by several jobs: it moves and goes on from its text; the client is told one answer."""

import asyncio
from typing import Any

import pytest
from fakes.courses import ASKS, BEGUN, LATE, LOOK, WAITS, Bench, chat, done, moving, offered, text
from fakes.hub import Step, answering, card, ended
from hypothesis import given
from hypothesis import strategies as st

from iamine.wire.messages import ChatWork
from pool.dispatch.choice import TURN
from pool.dispatch.events import ChoiceEnded, Moved
from pool.errors import AnswerLost, ContextTooLong, DeadlineExceeded, PoolError
from pool.routing.types import Begun, Delta, JobOrder
from pool.toolcalls import think_tool


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
