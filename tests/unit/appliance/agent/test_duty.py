"""Duty and rest, with hands that are written down and a clock that is set by hand."""

import asyncio
import contextlib
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from appliance.agent.control import Ask
from appliance.agent.duty import Duty
from appliance.agent.errors import EngineFailed
from appliance.agent.schedule import Schedule, read_hours

NIGHT = read_hours(["22:00-07:00"])


class Bench:
    """A duty whose every act is kept; `loads` may be told to hang or to fail."""

    def __init__(self, folder: Path, *, schedule: Schedule = (), hour: int = 12) -> None:
        self.folder, self.schedule = folder, schedule
        self.acts: list[str] = []
        self.lines: list[str] = []
        self.time = datetime(2026, 11, 23, hour, tzinfo=timezone.utc)
        self.gate = asyncio.Event()
        self.gate.set()
        self.failure: EngineFailed | None = None
        self.duty = self.another()

    def another(self) -> Duty:
        return Duty(
            folder=self.folder,
            schedule=self.schedule,
            hands=self,
            load=self.load,
            release=self.release,
            say=self.lines.append,
            now=lambda: self.time,
            clock=lambda: 5.0,
        )

    def rest(self, reason: str) -> int:
        self.acts.append(f"rest: {reason}")
        return 3

    def resume(self) -> None:
        self.acts.append("resume")

    async def load(self) -> None:
        self.acts.append("load")
        await self.gate.wait()
        if self.failure:
            raise self.failure
        self.acts.append("loaded")

    async def release(self) -> None:
        self.acts.append("release")


async def running(duty: Duty) -> "asyncio.Task[None]":
    task = asyncio.create_task(duty.run())
    await asyncio.wait_for(duty.ready.wait(), 5)
    return task


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(5) if sys.version_info >= (3, 11) else contextlib.nullcontext():
        while not done():
            await asyncio.sleep(0)


async def ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_it_loads_and_works(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    task = await running(bench.duty)
    assert bench.acts == ["load", "loaded", "resume"]
    assert (await bench.duty.asked(Ask(ask="status"))).state == "working"
    await ended(task)


async def test_a_pause_gives_back_first_and_then_frees_and_resume_loads_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    task = await running(bench.duty)
    state = await bench.duty.asked(Ask(ask="pause"))
    assert bench.acts[3:] == ["rest: paused by its owner", "release"]
    assert (state.state, state.reason, state.until_s, state.moved, state.freed_s) == (
        "resting", "paused by its owner", None, 3, 0.0,
    )  # fmt: skip
    again = await bench.duty.asked(Ask(ask="pause"))
    assert again == state and len(bench.acts) == 5
    assert (await bench.duty.asked(Ask(ask="resume"))).state == "loading"
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert bench.acts[5:] == ["load", "loaded", "resume"]
    await ended(task)


async def test_a_pause_outlives_the_worker_until_it_ends(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.duty.asked(Ask(ask="pause", for_s=3600.0))
    other = bench.another()
    task = await running(other)
    assert "load" not in bench.acts
    assert (await other.asked(Ask(ask="status"))).reason == "paused by its owner until 13:00"
    bench.time += timedelta(hours=1)
    assert (await other.asked(Ask(ask="resume"))).state == "loading"
    await ended(task)
    assert list(tmp_path.iterdir()) == []


async def test_a_pause_ends_by_itself(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.duty.asked(Ask(ask="pause", for_s=60.0))
    bench.time += timedelta(seconds=60)
    task = await running(bench.duty)
    while "resume" not in bench.acts:
        await asyncio.sleep(0)
    assert list(tmp_path.iterdir()) == []
    await ended(task)


async def test_a_pause_breaks_off_a_load(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.gate.clear()
    task = asyncio.create_task(bench.duty.run())
    while bench.acts != ["load"]:
        await asyncio.sleep(0)
    assert (await bench.duty.asked(Ask(ask="pause"))).state == "resting"
    assert bench.duty.ready.is_set() and "loaded" not in bench.acts
    await ended(task)


async def test_outside_its_hours_it_rests_and_a_pause_may_say_more(tmp_path: Path) -> None:
    bench = Bench(tmp_path, schedule=NIGHT)
    task = await running(bench.duty)
    assert bench.acts == ["rest: outside its hours until 22:00", "release"]
    await bench.duty.asked(Ask(ask="pause"))
    assert bench.acts[2:] == ["rest: paused by its owner"]
    assert (await bench.duty.asked(Ask(ask="resume"))).reason == "outside its hours until 22:00"
    assert "load" not in bench.acts
    await ended(task)


async def test_models_that_do_not_load_the_first_time_are_an_error(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.failure = EngineFailed("no memory")
    with pytest.raises(EngineFailed, match="no memory"):
        await asyncio.wait_for(bench.duty.run(), 5)


async def test_after_a_rest_a_load_that_fails_is_told_and_tried_again_later(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    task = await running(bench.duty)
    bench.failure = EngineFailed("no memory")
    await bench.duty.asked(Ask(ask="pause"))
    await bench.duty.asked(Ask(ask="resume"))
    while not any("trying again" in line for line in bench.lines):
        await asyncio.sleep(0)
    assert not task.done() and bench.acts[-1] == "load"
    await ended(task)


async def test_a_folder_that_keeps_nothing_is_told_and_the_pause_holds_all_the_same(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "none")
    assert (await bench.duty.asked(Ask(ask="pause"))).state == "resting"
    assert any("forgotten" in line for line in bench.lines)


async def test_planning_anew_gives_back_frees_and_loads(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    task = await running(bench.duty)
    bench.acts.clear()
    await bench.duty.again("a card went")
    await until(lambda: "resume" in bench.acts)
    assert bench.acts == ["rest: a card went", "release", "load", "loaded", "resume"]
    assert bench.lines == ["a card went; 3 answers go on elsewhere"]
    await ended(task)


async def test_planning_anew_at_rest_wakes_nobody(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    task = await running(bench.duty)
    await bench.duty.asked(Ask(ask="pause"))
    bench.acts.clear()
    await bench.duty.again("a card came")
    assert bench.acts == []
    await ended(task)
