"""Planning anew while the worker works: when a device comes or goes, or the watchdog changes what may be used."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field

from appliance.agent.ladder import Measure
from appliance.agent.machine import Hardware
from appliance.agent.types import ModelSpec
from appliance.agent.upgrade import in_thread
from appliance.agent.watchdog import EXIT_REBOOT, EXIT_RESTART, Watchdog

LOOK_S = 0.2  # how often it is looked whether an answer runs
CALM_LOOK_S = 600.0
EXITS = {Measure.RESTART_AGENT: EXIT_RESTART, Measure.REBOOT: EXIT_REBOOT}


@dataclass(slots=True, kw_only=True)
class Anew:
    """Owns which machine plans are made for.

    `probe` looks at it (it takes long, and runs in a thread), `settle_on` chooses for a machine what is to be loaded,
    `reload(why)` gives every job back, lets all models go and loads what was chosen, which calls `prepare` first.
    `busy` tells whether an answer runs; `leave(code)` ends the worker.
    """

    machine: Hardware
    watchdog: Watchdog
    probe: Callable[[], Hardware]
    settle_on: Callable[[Hardware], None]
    reload: Callable[[str], Awaitable[None]]
    busy: Callable[[], bool]
    leave: Callable[[int], None]
    _look: bool = False
    _choose: bool = False
    _tasks: "set[asyncio.Task[None]]" = field(default_factory=set)

    @property
    def allowed(self) -> Hardware:
        """The machine as it may be used."""
        return self.watchdog.allowed(self.machine)

    async def prepare(self) -> None:
        """Before models are loaded: look and choose again if there is a reason. Nothing else holds memory now."""
        if self._look:
            self._look = False
            self.machine = await in_thread(self.probe)
        if self._choose:
            self._choose = False
            self.settle_on(self.allowed)

    async def again(self, why: str, *, look: bool, at_once: bool) -> None:
        """Plan anew, at once or when no answer runs; `look` at the machine again, too."""
        self._look, self._choose = self._look or look, True
        while not at_once and self.busy():  # noqa: ASYNC110 - the engines tell nobody else when they are idle
            await asyncio.sleep(LOOK_S)
        await self.reload(why)

    async def differs(self) -> bool:
        """Whether other devices can be used than before; how much of them is free is not asked, for models lie there."""
        found = self.watchdog.allowed(await in_thread(self.probe))
        return {each.place for each in found.usable_devices} != {each.place for each in self.allowed.usable_devices}

    def died(self, spec: ModelSpec, words: str, too_often: bool) -> bool:
        """An engine died; whether its file is excused."""
        measure = self.watchdog.died(spec, words, self.allowed, too_often=too_often)
        match measure:
            case Measure.LEAVE_GPU_OUT | Measure.SAFE_MODE:
                self._start(self.again(f"watchdog: {measure.value}", look=False, at_once=True))
            case Measure.RESTART_AGENT | Measure.REBOOT:
                self.leave(EXITS[measure])
            case _:
                return False
        return True

    def idle(self) -> int:
        """Nothing can be loaded: the exit status to end with, 0 to tell the error as it is."""
        return EXITS.get(self.watchdog.idle(), 0)

    async def watch(self) -> None:
        """Forgive after a calm day, for ever."""
        while True:
            if self.watchdog.calm():
                await self.again("a calm day: everything is tried anew", look=True, at_once=False)
            await asyncio.sleep(CALM_LOOK_S)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work, name="planning anew")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
