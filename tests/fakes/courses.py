"""A dispatch between fakes whose jobs play scripts, and a hub whose clock runs."""

import json
from contextlib import closing
from typing import Any

from fakes.hub import WORKER, FakeHub, Step, card
from fakes.records import ACCOUNT, FakeRecords
from iamine.ids import WorkerId
from iamine.wire.messages import ChatWork
from pool.dispatch.events import AnswerEvent, ChoiceDelta, Done
from pool.dispatch.limits import Limits
from pool.dispatch.route import Routing
from pool.dispatch.service import Dispatch
from pool.openai.chat import parse_chat
from pool.openai.types import ChatRequest
from pool.routing.types import Begun, JobOrder, Queued

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
