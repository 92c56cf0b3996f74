"""A small model asks a larger one in the middle; the client is told one answer."""

import asyncio
from contextlib import closing
from typing import Any

import pytest
from fakes.courses import ASKS, BEGUN, LATE, LOOK, LOOKS, Bench, chat, done, messages, offered, text
from fakes.hub import WORKER, Step, answering, card, ended
from fakes.records import ACCOUNT

from iamine.ids import ModelId
from pool.dispatch.events import ChoiceDelta, ChoiceEnded, Thinking
from pool.errors import AnswerLost, ContextTooLong
from pool.openai.types import Usage
from pool.routing.types import Delta, JobOrder
from pool.toolcalls import think_tool


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
