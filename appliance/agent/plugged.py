"""Devices and disks that are plugged in or pulled out while the worker works."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from appliance.agent.anew import Anew
from appliance.agent.hotplug import Change, Folders, settled
from appliance.agent.upgrade import in_thread

DISKS_S = 3.0  # how often it is looked what is mounted


@dataclass(slots=True, kw_only=True)
class Plugged:
    """`changes` are batches of uevents; `take(folder)` gets what is better from a models folder, and says how many came."""

    anew: Anew
    changes: Callable[[], AsyncIterator[list[Change]]]
    say: Callable[[str], None]
    take: Callable[[Path], Awaitable[int]] | None = None
    folders: Folders = field(default_factory=Folders)
    disks_s: float = DISKS_S

    async def devices(self) -> None:
        """A device in use that is gone is given up at once; one that came is used when no answer runs."""
        async for batch in self.changes():
            found = settled(batch, [each.address for each in self.anew.machine.usable_devices])
            if found.gone:
                await self.anew.again(f"{', '.join(found.gone)}: a graphics device is gone", look=True, at_once=True)
            elif found.came and await self.anew.differs():
                await self.anew.again(f"{', '.join(found.came)}: a graphics device came", look=True, at_once=False)

    async def disks(self) -> None:
        """A removable disk with a folder `models` is looked through when it comes; it is only read."""
        while True:
            for folder in await in_thread(self.folders.new) if self.take else ():
                self.say(f"{folder}: looking for a better model")
                if self.take and not await self.take(folder):
                    self.say(f"{folder}: nothing there is better than what serves")
            await asyncio.sleep(self.disks_s)
