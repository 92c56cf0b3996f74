"""A better model that has landed is loaded between answers; what goes wrong leaves what serves."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.agent.errors import AgentError
from appliance.agent.fetch import Stopped
from appliance.agent.models import Catalog
from appliance.agent.plan import Plan
from appliance.agent.types import ModelSpec
from appliance.agent.upgrade import Upgrade
from iamine.ids import ModelId
from iamine.manifest import File, Model
from iamine.wire.messages import ModelOffer

LARGE = Model(
    id=ModelId("large"), name="l", tier="large", license="MIT", parameters=1, context=1,
    file=(File(path="l", bytes=1, sha256="1" * 64),),
)  # fmt: skip
EMPTY = Catalog(files=(), problems=())


def spec(name: str) -> ModelSpec:
    return ModelSpec(model=ModelId(name), path=Path(name), file_sha256=name)


class FakeEngines:
    """Keeps names; refuses the ones in `bad`."""

    def __init__(self, *, running: int = 0, bad: str = "") -> None:
        self.running = running
        self.bad = bad
        self.did: list[str] = []

    async def load(self, spec: ModelSpec) -> ModelOffer:
        self.did.append(f"+{spec.model}")
        if spec.model == self.bad:
            raise AgentError("it does not load", hint="h")
        return ModelOffer(model=spec.model, file_sha256=spec.file_sha256, slots=1, context_tokens=1, vocabulary_tokens=1)

    async def unload(self, file_sha256: str) -> None:
        assert not self.running, "in the middle of an answer"
        self.did.append(f"-{file_sha256}")


def upgrade(engines: FakeEngines, lines: list[str], *, plan: Plan | None = None, error: Exception | None = None) -> Upgrade:
    def fetch(stopped: Callable[[], bool]) -> Iterator[tuple[Model, Path]]:
        if error:
            raise error
        yield LARGE, Path("l")

    chosen = plan or Plan(specs=(spec("large"),), reasons=("large: better",))
    return Upgrade(
        engines=engines,
        loaded=(spec("small"),),
        fetch=fetch,
        scan=lambda: EMPTY,
        choose=lambda catalog: chosen,
        say=lines.append,
    )


async def test_what_has_landed_takes_the_place_of_what_served() -> None:
    engines, lines = FakeEngines(), list[str]()
    await upgrade(engines, lines).run()
    assert engines.did == ["-small", "+large"]
    assert lines == ["changing the model: large: better"]


async def test_it_waits_for_the_answers_that_run() -> None:
    engines = FakeEngines(running=1)
    moving = asyncio.create_task(upgrade(engines, []).run())
    while not engines.did:
        await asyncio.sleep(0)
        engines.running = 0
    await moving
    assert engines.did == ["-small", "+large"]


async def test_what_does_not_load_gives_way_to_what_served() -> None:
    engines, lines = FakeEngines(bad="large"), list[str]()
    await upgrade(engines, lines).run()
    assert engines.did == ["-small", "+large", "+small"]
    assert "back to the model before" in lines[-1]


async def test_the_screen_is_told_why_it_serves_what_it_does_and_what_went_wrong() -> None:
    made, reasons, errors = upgrade(FakeEngines(bad="large"), []), list[str](), list[AgentError]()
    made.chosen, made.failed = reasons.extend, errors.append
    await made.run()
    assert reasons == ["large: better", "small: a better one did not load"]
    assert [error.message for error in errors] == ["it does not load"]
    made = upgrade(FakeEngines(), [], error=AgentError("no source", hint="set one"))
    made.failed = errors.append
    await made.run()
    assert [error.hint for error in errors] == ["h", "set one"]


async def test_what_was_measured_too_slow_gives_way_again() -> None:
    engines, lines = FakeEngines(), list[str]()
    moving = upgrade(engines, lines)
    moving.choose = lambda catalog: Plan(specs=(spec("medium" if "+large" in engines.did else "large"),), reasons=("r",))
    await moving.run()
    assert engines.did == ["-small", "+large", "-large", "+medium"]
    assert [each.model for each in moving.loaded] == ["medium"]


@pytest.mark.parametrize(
    ("plan", "said"),
    [(Plan(specs=(spec("small"),), reasons=("r",)), "what serves stays"), (Plan(problem="it shrank"), "stays: it shrank")],
)
async def test_what_serves_stays_when_it_is_the_best(plan: Plan, said: str) -> None:
    engines, lines = FakeEngines(), list[str]()
    await upgrade(engines, lines, plan=plan).run()
    assert engines.did == []
    assert lines[-1].endswith(said)


@pytest.mark.parametrize(
    ("error", "said"), [(AgentError("no source", hint="set one"), ["no source; set one"]), (Stopped(), [])]
)
async def test_a_fetch_that_fails_is_told_and_one_that_was_stopped_is_not(error: Exception, said: list[str]) -> None:
    engines, lines = FakeEngines(), list[str]()
    await upgrade(engines, lines, error=error).run()
    assert (engines.did, lines) == ([], said)


async def test_the_end_of_the_worker_stops_the_fetch() -> None:
    began, ended = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def fetch(stopped: Callable[[], bool]) -> Iterator[tuple[Model, Path]]:
        loop.call_soon_threadsafe(began.set)
        while not stopped():
            pass
        loop.call_soon_threadsafe(ended.set)
        raise Stopped
        yield LARGE, Path("l")

    made = upgrade(FakeEngines(), [])
    made.fetch = fetch
    running = asyncio.create_task(made.run())
    await began.wait()
    running.cancel()
    await asyncio.wait_for(ended.wait(), 30)
    with pytest.raises(asyncio.CancelledError):
        await running
