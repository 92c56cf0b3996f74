"""The door to udev's monitor: uevents as they come, in batches that have settled."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from appliance.agent.hotplug.changes import Change, understood

DAEMON = Path("/run/udev/control")
SETTLE_S = 2.0  # from the last uevent of a batch: a device, its driver and its nodes come one after the other
MAX_BATCH = 256


async def listen(
    say: Callable[[str], None], *, daemon: Path = DAEMON, settle_s: float = SETTLE_S
) -> AsyncIterator[list[Change]]:
    """Batches of changes, for ever. Where a daemon runs it is heard, for it makes nodes usable first; else the kernel.

    Without either it says so once, and ends.
    """
    try:
        monitor = _monitor(daemon)
    except (ImportError, OSError, RuntimeError) as error:
        say(f"devices that come or go are noticed at the next start only: udev cannot be heard ({error})")
        return
    loop, heard = asyncio.get_running_loop(), asyncio.Queue[Change](MAX_BATCH)

    def read() -> None:
        while (device := monitor.poll(timeout=0)) is not None:
            change = understood(dict(device.properties))
            if change is not None and not heard.full():
                heard.put_nowait(change)

    loop.add_reader(monitor.fileno(), read)
    try:
        while True:
            yield await _batch(heard, settle_s)
    finally:
        loop.remove_reader(monitor.fileno())


def _monitor(daemon: Path) -> Any:
    """pyudev's, started. Raises ImportError, OSError, RuntimeError."""
    import pyudev  # type: ignore[import-untyped]  # loads libudev when it is imported

    monitor = pyudev.Monitor.from_netlink(pyudev.Context(), "udev" if daemon.exists() else "kernel")
    monitor.start()
    return monitor


async def _batch(heard: "asyncio.Queue[Change]", settle_s: float) -> list[Change]:
    """The next change and all that follow it without a pause."""
    batch = [await heard.get()]
    while len(batch) < MAX_BATCH:
        try:
            batch.append(await asyncio.wait_for(heard.get(), settle_s))
        except asyncio.TimeoutError:
            break
    return batch
