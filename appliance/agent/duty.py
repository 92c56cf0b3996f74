"""On duty or at rest: the machine works when its owner lets it, and is his again within two seconds when he does not."""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Protocol

from appliance.agent.control import Ask, State
from appliance.agent.errors import AgentError
from appliance.agent.pausefile import keep_pause, read_pause
from appliance.agent.schedule import Pause, Rest, Schedule, check_in_s, rest
from appliance.agent.waiting import happens

RETRY_S = 60.0  # after a rest the models may not fit at once: the owner's own programs may still be there


class Hands(Protocol):
    """What works: the worker."""

    def rest(self, reason: str) -> int:
        """Give every job back at once and take none; how many there were."""

    def resume(self) -> None:
        """Take jobs again."""


class Duty:
    """Owns whether the models are loaded. `now` gives local time with its zone, `clock` monotonic seconds."""

    def __init__(
        self,
        *,
        folder: Path,
        schedule: Schedule,
        hands: Hands,
        load: Callable[[], Awaitable[None]],
        release: Callable[[], Awaitable[None]],
        say: Callable[[str], None],
        now: Callable[[], datetime],
        clock: Callable[[], float],
    ) -> None:
        self._folder, self._schedule = folder, schedule
        self._hands, self._load, self._release = hands, load, release
        self._say, self._now, self._clock = say, now, clock
        self._pause = read_pause(folder)
        self._rest: Rest | None = None
        self._loading: asyncio.Task[None] | None = None
        self._freed_s: float | None = None
        self._moved = 0
        self._turn = asyncio.Lock()
        self._woken = asyncio.Event()
        self._failure: AgentError | None = None
        self.ready = asyncio.Event()  # loaded, or at rest: from now on the pool may know us

    @property
    def resting(self) -> bool:
        """Whether the machine is its owner's now."""
        return self._rest is not None

    async def run(self) -> None:
        """Follow the owner's wishes until cancelled. Raises AgentError when the models do not load the first time."""
        try:
            while self._failure is None:
                await self._follow()
                await happens(self._woken, check_in_s(self._now(), self._pause))
                self._woken.clear()
            raise self._failure
        finally:
            await self._stop_loading()

    async def asked(self, wanted: Ask) -> State:
        """The owner asks; the answer comes when it is done: after a pause the models' memory is free."""
        match wanted.ask:
            case "pause":
                until_s = None if wanted.for_s is None else self._now().timestamp() + wanted.for_s
                await self._change(Pause(until_s=until_s))
            case "resume":
                await self._change(None)
            case "status":
                pass
        return self._state()

    async def again(self, why: str) -> None:
        """Give every job back, let the models go, and load what is to be loaded by now; at rest only the last comes later."""
        async with self._turn:
            if self._rest is not None:
                return
            moved = self._hands.rest(why)
            await self._stop_loading()
            await self._release()
            self._say(f"{why}; {moved} answers go on elsewhere" if moved else why)
            self._take_up()

    # ---- inside --------------------------------------------------------------------------------------------------------

    async def _change(self, pause: Pause | None) -> None:
        self._pause = pause
        try:
            keep_pause(self._folder, pause)
        except OSError as error:
            self._say(f"this will be forgotten when the worker stops: {error}")
        await self._follow()
        self._woken.set()

    async def _follow(self) -> None:
        """Do what pause and schedule say now, one thing at a time."""
        async with self._turn:
            now = self._now()
            if self._pause is not None and self._pause.until_s is not None and self._pause.until_s <= now.timestamp():
                self._pause = None
                with contextlib.suppress(OSError):
                    keep_pause(self._folder, None)
            wanted = rest(now, self._pause, self._schedule)
            if wanted is not None:
                await self._give_back(wanted)
            elif self._rest is not None or self._loading is None:
                self._take_up()

    async def _give_back(self, wanted: Rest) -> None:
        if wanted == self._rest:
            return
        before, self._rest, began = self._rest, wanted, self._clock()
        moved = self._hands.rest(wanted.reason)
        if before is None:
            await self._stop_loading()
            await self._release()
            self._freed_s, self._moved = self._clock() - began, moved
            self._say(f"{wanted.reason}: the machine is free after {self._freed_s:.2f} s; {moved} answers go on elsewhere")
        else:
            self._say(wanted.reason)
        self.ready.set()

    def _take_up(self) -> None:
        if self._rest is not None:
            self._say("back to work")
        self._rest, self._freed_s, self._moved = None, None, 0
        self._loading = asyncio.create_task(self._load_all(), name="loading models")

    async def _load_all(self) -> None:
        while True:
            try:
                await self._load()
                break
            except AgentError as error:
                if not self.ready.is_set():
                    self._failure = error
                    self._woken.set()
                    return
                self._say(f"{error.message}; trying again in {RETRY_S:.0f} s")
            await asyncio.sleep(RETRY_S)
        self._hands.resume()
        self.ready.set()

    async def _stop_loading(self) -> None:
        loading, self._loading = self._loading, None
        if loading is not None:
            loading.cancel()
            await asyncio.gather(loading, return_exceptions=True)

    def _state(self) -> State:
        if self._rest is not None:
            told = self._rest
            return State(
                state="resting",
                reason=told.reason,
                until_s=told.until_s,
                freed_s=self._freed_s,
                moved=self._moved,
                pid=os.getpid(),
            )
        is_loaded = self._loading is not None and self._loading.done()
        return State(state="working" if is_loaded else "loading", pid=os.getpid())
