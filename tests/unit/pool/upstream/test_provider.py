"""A provider over HTTP, another pool's HTTP side: its answers are job events, and its faults are the pool's own errors."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from typing import Any

import pytest
from fakes.hub import WORKER, FakeHub, answering, card
from fakes.poolserver import Served, served
from fakes.records import ACCOUNT, KEY, FakeRecords

from iamine.ids import ModelId
from pool.dispatch.events import ChoiceDelta, Done, Moved
from pool.dispatch.service import Dispatch, Limits
from pool.errors import AnswerLost, DeadlineExceeded, PoolError, Unavailable
from pool.openai.chat import parse_chat
from pool.routing.types import Begun, Delta, JobOrder, Queued
from pool.upstream.provider import Provider

BEGUN = Begun(worker=WORKER, epoch=1, prompt_tokens=7, cached_tokens=2)
WAITS = Queued(position=1, estimate_s=None)


def chat(**fields: Any) -> Any:
    body = {"model": "mote", "messages": [{"role": "user", "content": "Hello"}]} | fields
    return parse_chat(json.dumps(body).encode(), seed=1)


@asynccontextmanager
async def provided(*, key: str = KEY, first_s: float = 5.0) -> AsyncIterator[tuple[Served, Provider]]:
    async with served() as theirs:
        url = f"{theirs.url}/v1"
        provider = Provider(url=url, api_key=key, models={"large": "other"}, default="mote", after_s=0.0, first_s=first_s)
        async with provider:
            yield theirs, provider
        await theirs.dispatch.drain(1.0)


class Ours(FakeHub):
    """Our hub: nobody lives, every job waits; its clock runs."""

    def monotonic(self) -> float:
        self.now += 1.0
        return self.now


def ours(provider: Provider, *steps: Any) -> tuple[Ours, Dispatch]:
    hub = Ours(lambda _order: [WAITS, WAITS, *steps], cards=(card("mini", workers=0),))
    return hub, Dispatch(hub=hub, records=FakeRecords(), limits=Limits(), upstream=provider)


async def told(dispatch: Dispatch, **fields: Any) -> list[Any]:
    with closing(await dispatch.chat(chat(model="iamine-auto", **fields), ACCOUNT)) as answer:
        events = [event async for event in answer]
    await dispatch.drain(1.0)
    return events


def text(events: list[Any]) -> str:
    return "".join(event.content for event in events if isinstance(event, ChoiceDelta))


async def test_a_models_name_for_each_tier() -> None:
    async with provided() as (_, provider):
        assert (provider.model("large"), provider.model("micro")) == ("other", "mote")


async def test_nobody_here_so_the_provider_answers_and_the_job_here_is_given_up() -> None:
    async with provided() as (theirs, provider):
        hub, dispatch = ours(provider, asyncio.Event())
        events = await asyncio.wait_for(told(dispatch), 5)
        assert text(events) == "Hello there"
        assert [event.model for event in events if isinstance(event, Moved)] == ["mote"]
        assert isinstance(events[-1], Done)
        assert [span.worker for span in events[-1].origin.spans] == ["upstream"]
        assert (events[-1].usage.prompt_tokens, events[-1].usage.completion_tokens) == (7, 2)
        assert (hub.taken, theirs.hub.taken) == (0, 0)


async def test_a_worker_that_begins_first_answers() -> None:
    async with provided() as (theirs, provider):
        theirs.hub.script = lambda _order: [asyncio.Event()]
        hub, dispatch = ours(provider, 0.05, *answering("Ours"))
        assert text(await asyncio.wait_for(told(dispatch), 5)) == "Ours"
        assert hub.taken == 0


@pytest.mark.parametrize("key", ["wrong", KEY])
async def test_a_provider_that_fails_is_no_error_of_ours_while_somebody_may_come(key: str) -> None:
    async with provided(key=key) as (theirs, provider):
        theirs.hub.script = lambda _order: [Unavailable("no")]
        _, dispatch = ours(provider, 0.2, *answering("Ours"))
        assert text(await asyncio.wait_for(told(dispatch), 5)) == "Ours"


async def test_when_the_job_here_is_refused_the_attempt_under_way_is_waited_for() -> None:
    async with provided() as (theirs, provider):
        theirs.hub.script = lambda _order: [0.2, *answering("Theirs")]
        _, dispatch = ours(provider, DeadlineExceeded("late"))
        assert text(await asyncio.wait_for(told(dispatch), 5)) == "Theirs"
        theirs.hub.script = lambda _order: [Unavailable("no")]
        _, dispatch = ours(provider, DeadlineExceeded("late"))
        with pytest.raises(DeadlineExceeded):
            await asyncio.wait_for(told(dispatch), 5)


@pytest.mark.parametrize("comes", [True, False])
async def test_an_answer_that_a_provider_broke_off_waits_for_whoever_can_go_on_from_its_text(comes: bool) -> None:
    async with provided() as (theirs, provider):
        theirs.hub.script = lambda _order: [BEGUN, Delta(index=0, ids=(1,), text="One"), AnswerLost("gone")]
        hub, dispatch = ours(provider)

        def script(order: JobOrder) -> list[Any]:
            if order.model == "mote":
                return answering(" two.")
            if not getattr(order.work, "opening", ""):
                return [WAITS, WAITS, asyncio.Event()]
            hub.cards = (card("mote"),) if comes else ()
            return [*[WAITS] * 60, DeadlineExceeded("late")]

        hub.script = script
        if comes:
            assert text(await asyncio.wait_for(told(dispatch), 5)) == "One two."
        else:
            with pytest.raises(DeadlineExceeded):
                await asyncio.wait_for(told(dispatch), 5)
            await dispatch.drain(1.0)
        assert hub.taken == 0


async def test_what_only_this_pool_knows_never_leaves_it() -> None:
    async with provided() as (theirs, provider):
        for fields in ({"top_k": 3}, {"grammar": 'root ::= "x"'}, {"logprobs": True}, {"logit_bias": {"7": 1}}):
            _, dispatch = ours(provider, 0.01, *answering("Ours"))
            assert text(await told(dispatch, **fields)) == "Ours"
        assert theirs.hub.orders == []


async def test_a_provider_that_is_not_there_or_says_nothing_or_breaks_off() -> None:
    away = Provider(url="http://127.0.0.1:9/v1", api_key="", models={}, default="m", after_s=0.0, first_s=5.0)
    with pytest.raises(AnswerLost):
        await away.open(chat(), ModelId("m"), seed=1)
    await away.close()
    async with provided(first_s=0.2) as (theirs, provider):
        theirs.hub.script = lambda _order: [asyncio.Event()]
        with pytest.raises(Unavailable):
            await provider.open(chat(), ModelId("mote"), seed=1)
        theirs.hub.script = lambda _order: [BEGUN, Delta(index=0, ids=(1,), text="Hi"), AnswerLost("gone")]
        stream = await provider.open(chat(), ModelId("mote"), seed=1)
        with pytest.raises(PoolError):
            _ = [event async for event in stream]


async def test_a_job_that_moves_gives_up_the_attempt_under_way() -> None:
    async with provided() as (theirs, provider):
        theirs.hub.script = lambda _order: [asyncio.Event()]
        hub, dispatch = ours(provider)

        def script(order: JobOrder) -> list[Any]:
            if order.model == "big":
                return answering("Ours")
            asyncio.get_running_loop().call_later(0.2, lambda: setattr(hub, "cards", (card("big"),)))
            return [WAITS, WAITS, 0.4, WAITS, WAITS, asyncio.Event()]

        hub.script = script
        assert text(await asyncio.wait_for(told(dispatch), 5)) == "Ours"
        assert hub.taken == 0
        for _ in range(100):
            if theirs.hub.taken == 0:
                break
            await asyncio.sleep(0.02)
        assert theirs.hub.taken == 0, "hung up"
