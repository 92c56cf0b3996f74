"""Follows what the pool lacks: decides with each of its messages, and moves to another model between answers."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from appliance.agent.errors import AgentError
from appliance.agent.moving import Facts, Move, Option, confirmed, plan
from appliance.agent.plan import Plan
from appliance.agent.types import ModelSpec
from iamine.ids import ModelId
from iamine.wire.messages import Demand

LOOK_S = 0.2  # how often it is looked whether an answer still runs
DRAIN_S = 600.0  # the last answers have so long; then the move is given up


class Hands(Protocol):
    """What works: the worker."""

    def move(self, model: ModelId, work_tps: float) -> None:
        """Take no new job, and tell the pool why."""

    def settle(self, course: str) -> None:
        """Take jobs again; and what was made of what the pool lacks."""


class Mover(Protocol):
    """What changes the models between answers."""

    loaded: Sequence[ModelSpec]

    async def change(self, planned: Plan) -> bool:
        """Whether the plan's models serve now; else those before do. Raises AgentError when neither load."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What serves now and what else could."""

    serving: Option | None
    others: Sequence[Option]


@dataclass(slots=True, kw_only=True)
class Assignment:
    """`choices` are looked up for each decision; `fetch` gets a model's file (in its own time) and `chosen` plans for a model.

    `good` tells whether what was measured of a file speaks for it. `draw` gives random numbers in [0, 1), `clock` monotonic
    seconds; `running` the answers that have not ended; `resting` whether the owner has his machine for himself.
    """

    hands: Hands
    mover: Mover
    choices: Callable[[], Choices]
    chosen: Callable[[ModelId], Plan]
    good: Callable[[str], bool]
    running: Callable[[], int]
    resting: Callable[[], bool]
    draw: Callable[[], float]
    clock: Callable[[], float]
    say: Callable[[str], None]
    fetch: Callable[[ModelId], "asyncio.Future[None] | None"] = lambda model: None
    failed: Callable[[AgentError], None] = lambda error: None
    pinned: str = ""
    wished: ModelId | None = None  # what the pool needed last: a better model that lands does not take its place
    _moved_at: float | None = None
    _demand: Demand | None = None
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def heard(self, demand: Demand) -> None:
        """The pool says what it lacks."""
        self._demand = demand
        self._news.set()

    async def run(self) -> None:
        """Decide with each message, until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            demand = self._demand
            if demand is not None and not self.resting():
                await self._decide(demand)

    async def _decide(self, demand: Demand) -> None:
        now, choices = self.clock(), self.choices()
        facts = Facts(
            serving=choices.serving,
            others=choices.others,
            demand=demand,
            draw=self.draw() if demand.turn is None else demand.turn,
            pinned=self.pinned,
            moved_at=self._moved_at,
        )
        decision = plan(facts, now)
        if not isinstance(decision, Move):
            self.hands.settle(decision.reason)
            return
        before, course = self.mover.loaded, f"stays: the move to {decision.option.model} was given up"
        try:
            course = await self._move(decision, before)
        except AgentError as error:
            self.say(f"{error.message}; {error.hint}" if error.hint else error.message)
            self.failed(error)
            self._moved_at = self.clock()
        finally:
            self.hands.settle(course)

    async def _move(self, move: Move, before: Sequence[ModelSpec]) -> str:
        """Fetch, drain, load; what came of it, in words. Raises AgentError when not even the model before loads."""
        option = move.option
        fetching = None if option.at_hand else self.fetch(option.model)
        if fetching is not None:
            self.say(f"fetching for the pool: {move.reason}")
            await fetching
        planned = self.chosen(option.model)
        if planned.problem:
            return f"stays: {planned.problem}"
        self.say(f"moving when the running answers have ended: {move.reason}")
        self.hands.move(option.model, option.work_tps)
        if not await self._drained(move):
            return f"stays: {option.model} is not lacking any more"
        self._moved_at = self.clock()
        if not await self.mover.change(planned):
            return f"stays: {option.model} did not load here"
        if not self.good(option.file_sha256):
            back = Plan(specs=tuple(before), reasons=tuple(f"{each.model}: {option.model} is too slow here" for each in before))
            await self.mover.change(back)
            self._moved_at = self.clock()
            return f"back from {option.model}: it is too slow here"
        self.wished, self._moved_at = option.model, self.clock()
        return f"moved to {move.reason}"

    async def _drained(self, move: Move) -> bool:
        """Whether the running answers have ended, and the move is still right then."""
        began = self.clock()
        while self.running() and not self.resting() and self.clock() - began < DRAIN_S:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(LOOK_S)
        demand = self._demand
        return not self.running() and not self.resting() and demand is not None and confirmed(move, demand)
