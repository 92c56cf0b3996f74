"""Following what the pool lacks: between answers, back when it fails, and never against the owner."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from appliance.agent import assignment as room
from appliance.agent.assignment import Assignment, Choices
from appliance.agent.errors import AgentError
from appliance.agent.moving import Option
from appliance.agent.plan import Plan
from appliance.agent.types import ModelSpec
from iamine.ids import ModelId
from iamine.wire.messages import Demand, ModelDemand

HERE = Option(model=ModelId("here"), file_sha256="here", tier="micro", work_tps=400.0, measured=True, ready_s=1.0)
THERE = Option(model=ModelId("there"), file_sha256="there", tier="micro", work_tps=100.0, measured=True, ready_s=1.0)
LACK = ModelDemand(model=ModelId("there"), wanted_tps=80.0, lack_tps=80.0, come=1.0, waiting=1)
DEMAND = Demand(serial=1, models=(LACK,))


def spec(name: str) -> ModelSpec:
    return ModelSpec(model=ModelId(name), path=Path(name), file_sha256=name)


class World:
    """A worker, its models and its clock, in memory; `did` is what happened."""

    def __init__(self) -> None:
        self.did: list[str] = []
        self.loaded: Sequence[ModelSpec] = (spec("here"),)
        self.busy, self.at_rest, self.loads, self.is_good, self.now, self.problem = 0, False, True, True, 1000.0, ""
        self.error: AgentError | None = None
        self.others: tuple[Option, ...] = (THERE,)
        self.assignment = Assignment(
            hands=self,
            mover=self,
            choices=lambda: Choices(serving=HERE if self.loaded[0].model == "here" else THERE, others=self.others),
            chosen=lambda model: Plan(specs=(spec(model),), reasons=(f"{model}: asked for",), problem=self.problem),
            good=lambda sha256: self.is_good,
            running=lambda: self.busy,
            resting=lambda: self.at_rest,
            draw=lambda: 0.0,
            clock=lambda: self.now,
            say=lambda line: None,
            fetch=lambda model: asyncio.ensure_future(self.fetched(model)),
        )

    async def fetched(self, model: ModelId) -> None:
        self.did.append(f"fetched {model}")

    def move(self, model: ModelId, work_tps: float) -> None:
        self.did.append(f"drains for {model} ({work_tps:g})")

    def settle(self, course: str) -> None:
        self.did.append(course)

    async def change(self, planned: Plan) -> bool:
        assert not self.busy, "in the middle of an answer"
        if self.error is not None:
            raise self.error
        self.did.append(f"loads {planned.specs[0].model}")
        if self.loads:
            self.loaded = planned.specs
        return self.loads


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(room, "LOOK_S", 0.0)
    return World()


async def told(world: World, demand: Demand = DEMAND) -> list[str]:
    """What is done about the message."""
    world.assignment.heard(demand)
    running = asyncio.create_task(world.assignment.run())
    for _ in range(20):
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return world.did


async def test_it_drains_moves_and_says_why(world: World) -> None:
    did = await told(world)
    assert did[:2] == ["drains for there (100)", "loads there"] and did[2].startswith("moved to there: the pool lacks 80")
    assert world.assignment.wished == "there"


async def test_a_running_answer_ends_first(world: World) -> None:
    world.busy = 1
    assert await told(world) == ["drains for there (100)", "stays: the move to there was given up"], "it was cut off here"
    assert world.loaded[0].model == "here"


async def test_while_the_last_answer_runs_others_may_be_faster(world: World) -> None:
    world.busy = 1
    world.assignment.heard(DEMAND)
    running = asyncio.create_task(world.assignment.run())
    for _ in range(5):
        await asyncio.sleep(0)
    world.assignment.heard(Demand(serial=2, models=(ModelDemand(model=ModelId("there"), wanted_tps=80.0, offered_tps=300.0),)))
    world.busy = 0
    for _ in range(5):
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert "stays: there is not lacking any more" in world.did and world.loaded[0].model == "here"


async def test_answers_that_do_not_end_stop_the_move(world: World) -> None:
    world.busy = 1
    world.assignment.clock = lambda: next(times)
    times = iter(range(0, 100_000, 200))
    assert (await told(world))[-1] == "stays: there is not lacking any more"


async def test_what_does_not_load_or_is_slow_goes_back(world: World) -> None:
    world.loads = False
    assert (await told(world))[-1] == "stays: there did not load here"
    world.loads, world.is_good, world.now = True, False, 2000.0
    world.did.clear()
    assert (await told(world))[-2:] == ["loads here", "back from there: it is too slow here"]
    assert world.loaded[0].model == "here" and world.assignment.wished is None


async def test_an_error_leaves_the_worker_taking_jobs(world: World) -> None:
    world.error = AgentError("neither loads", hint="look")
    assert (await told(world))[-1] == "stays: the move to there was given up"


async def test_what_cannot_be_planned_is_not_drained_for(world: World) -> None:
    world.problem = "there needs more memory"
    assert await told(world) == ["stays: there needs more memory"]


async def test_after_an_attempt_it_stays_for_a_while(world: World) -> None:
    world.loads = False
    await told(world)
    world.did.clear()
    assert "it changed 0 s ago" in (await told(world))[-1]


async def test_a_model_that_is_not_here_is_fetched_before_anything_drains(world: World) -> None:
    world.others = (Option(**{**{f: getattr(THERE, f) for f in THERE.__dataclass_fields__}, "at_hand": False}),)
    assert (await told(world))[:2] == ["fetched there", "drains for there (100)"]


async def test_who_is_asked_the_pool_may_say(world: World) -> None:
    later = Demand(serial=1, models=(ModelDemand(model=ModelId("there"), lack_tps=80.0, wanted_tps=80.0, come=0.5),), turn=0.5)
    assert "not all who could are asked at once" in (await told(world, later))[0]


async def test_the_owners_rest_comes_first(world: World) -> None:
    world.at_rest = True
    assert await told(world) == []


async def test_a_worker_that_stays_says_why(world: World) -> None:
    assert await told(world, Demand(serial=1)) == ["stays with here: the pool lacks nothing now"]
