"""A worker that fetches by itself: it serves what is here, and moves to a better model that has landed, between answers."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from appliance.agent.errors import AgentError
from appliance.agent.fetch import Stopped
from appliance.agent.models import Catalog
from appliance.agent.plan import Plan
from appliance.agent.types import ModelSpec
from iamine.manifest import Model
from iamine.wire.messages import ModelOffer

T = TypeVar("T")
LOOK_S = 0.2  # how often it is looked whether an answer runs
Landed = Iterator[tuple[Model, Path]]
Fetch = Callable[[Callable[[], bool]], Landed]  # told whether to stop


class Engines(Protocol):
    """What runs the models."""

    @property
    def running(self) -> int:
        """Jobs that have not ended."""

    async def load(self, spec: ModelSpec) -> ModelOffer:
        """Load a model. Raises EngineFailed."""

    async def unload(self, file_sha256: str) -> None:
        """Let a model go."""


@dataclass(slots=True, kw_only=True)
class Upgrade:
    """`loaded` is what serves now. `fetch(stopped)` yields what has landed, `scan` looks what is here, `choose` plans with it.

    The first two take long and run in a thread; `say` is told what happens and why. While the machine is `resting` nothing
    is loaded: what serves afterwards is loaded by whoever ends the rest. `chosen` is told why what serves does, `failed` what
    went wrong.
    """

    engines: Engines
    loaded: Sequence[ModelSpec]
    fetch: Fetch
    scan: Callable[[], Catalog]
    choose: Callable[[Catalog], Plan]
    say: Callable[[str], None]
    resting: Callable[[], bool] = lambda: False
    chosen: Callable[[Sequence[str]], None] = lambda reasons: None
    failed: Callable[[AgentError], None] = lambda error: None
    _stop: bool = False
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self, fetch: Fetch | None = None) -> int:
        """Until everything is here, or something goes wrong: that is told, and what serves goes on serving.

        `fetch`: from somewhere else than usual, as a disk that was plugged in. How many models landed.
        """
        landed, count = (fetch or self.fetch)(lambda: self._stop), 0
        try:
            while (arrived := await in_thread(lambda: next(landed, None))) is not None:
                count += 1
                await self._move(await in_thread(self.scan), arrived[0])
        except Stopped:
            pass
        except AgentError as error:
            self.say(f"{error.message}; {error.hint}" if error.hint else error.message)
            self.failed(error)
        except asyncio.CancelledError:
            self._stop = True  # the thread ends at its next piece
            raise
        return count

    async def _move(self, catalog: Catalog, model: Model) -> None:
        """Load what is best now, unless that is what serves already."""
        planned = self.choose(catalog)
        if not self._changes(planned):
            self.say(f"{model.id} has landed; what serves stays" + (f": {planned.problem}" if planned.problem else ""))
        while self._changes(planned) and await self.change(planned):
            planned = self.choose(catalog)  # what was measured of it may speak against it

    def _changes(self, planned: Plan) -> bool:
        here = {spec.file_sha256 for spec in self.loaded}
        return not planned.problem and not {spec.file_sha256 for spec in planned.specs} <= here

    async def change(self, planned: Plan) -> bool:
        """Whether the plan's models serve now; else those before do. Raises AgentError when neither load."""
        async with self._turn:
            return await self._change(planned)

    async def _change(self, planned: Plan) -> bool:
        while self.engines.running or self.resting():  # noqa: ASYNC110 - the engines tell nobody else when they are idle
            await asyncio.sleep(LOOK_S)
        before, self.loaded = self.loaded, planned.specs
        self.say("changing the model: " + "; ".join(planned.reasons))
        self.chosen(planned.reasons)
        for spec in before:
            if spec.file_sha256 not in {each.file_sha256 for each in planned.specs}:
                await self.engines.unload(spec.file_sha256)
        try:
            await self._load(planned.specs)
        except AgentError as error:
            self.say(f"{error.message}; back to the model before")
            self.failed(error)
            self.chosen((f"{', '.join(spec.model for spec in before)}: a better one did not load",))
            self.loaded = before
            await self._load(before)
            return False
        return True

    async def _load(self, specs: Sequence[ModelSpec]) -> None:
        """Load them, unless the owner wants his machine back meanwhile. Raises EngineFailed."""
        for spec in specs:
            if not self.resting():
                await self.engines.load(spec)
            if self.resting():
                await self.engines.unload(spec.file_sha256)


async def in_thread(work: Callable[[], T]) -> T:
    """The work's result; a thread of its own that does not hold up the end of the process, as a stalled server would."""
    loop, result = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()

    def settle(value: T | None, error: BaseException | None) -> None:
        if not result.done():
            result.set_exception(error) if error else result.set_result(value)

    def run() -> None:
        value, error = None, None
        try:
            value = work()
        except Exception as raised:  # noqa: BLE001 - it is raised again where it is awaited
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(settle, value, error)

    threading.Thread(target=run, daemon=True, name="fetch").start()
    return await result  # type: ignore[no-any-return]
