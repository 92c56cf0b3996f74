"""What is done when devices and disks come and go."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from fakes.machines import card, made

from appliance.agent.anew import Anew
from appliance.agent.hotplug import Change, Folders
from appliance.agent.plugged import Plugged
from appliance.agent.watchdog import FILE_NAME, Watchdog

GB, A, B = 10**9, "0000:01:00.0", "0000:02:00.0"
ONE = made(16 * GB, card("NVIDIA A", 8 * GB, 8 * GB, address=A))
TWO = made(16 * GB, *ONE.devices, card("NVIDIA B", 8 * GB, 8 * GB, address=B))
NONE = made(16 * GB)


class Bench:
    """A machine that is `now` something else than it was."""

    def __init__(self, folder: Path, *batches: list[Change]) -> None:
        self.now, self.batches, self.done = ONE, batches, list[str]()
        self.folders: list[tuple[Path, ...]] = []
        self.anew = Anew(
            machine=ONE,
            watchdog=Watchdog(path=folder / FILE_NAME, say=print, now=lambda: 0.0),
            probe=lambda: self.now,
            settle_on=lambda machine: self.done.append(f"{len(machine.usable_devices)} cards"),
            reload=self.reload,
            busy=lambda: False,
            leave=print,
        )
        self.plugged = Plugged(
            anew=self.anew, changes=self.changes, say=self.done.append, take=self.take,
            folders=Folders(look=lambda: self.folders.pop(0)), disks_s=0.0,
        )  # fmt: skip

    async def reload(self, why: str) -> None:
        self.done.append(why)
        await self.anew.prepare()

    async def changes(self) -> AsyncIterator[list[Change]]:
        for batch in self.batches:
            yield batch

    async def take(self, folder: Path) -> int:
        self.done.append(f"took {folder}")
        return int(folder == Path("good"))


async def test_a_card_in_use_that_went_is_planned_without(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [Change(A, here=False)])
    bench.now = NONE
    await bench.plugged.devices()
    assert bench.done == [f"{A}: a graphics device is gone", "0 cards"]


async def test_a_card_that_came_is_planned_with_if_it_can_be_used(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [Change(B, here=True)])
    await bench.plugged.devices()
    assert bench.done == []
    bench.now = TWO
    await bench.plugged.devices()
    assert bench.done == [f"{B}: a graphics device came", "2 cards"]


async def test_what_changes_nothing_disturbs_nobody(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [Change(A, here=True)], [Change(B, here=False)])
    bench.now = TWO
    await bench.plugged.devices()
    assert bench.done == []


async def test_each_disk_is_looked_through_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.folders = [(), (Path("good"),), (Path("good"), Path("poor"))]
    looking = asyncio.create_task(bench.plugged.disks())
    await asyncio.gather(looking, return_exceptions=True)  # ends when the bench has no more to look at
    assert isinstance(looking.exception(), IndexError)
    assert bench.done == [
        "good: looking for a better model", "took good",
        "poor: looking for a better model", "took poor", "poor: nothing there is better than what serves",
    ]  # fmt: skip
