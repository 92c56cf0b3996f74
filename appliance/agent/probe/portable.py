"""What psutil and Python know on any system: the only source where there is no /proc, and for free disk space."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from appliance.agent.machine import Battery


@dataclass(frozen=True, slots=True, kw_only=True)
class Portable:
    """The machine without /proc and /sys."""

    system: str
    release: str
    architecture: str
    processor: str
    threads: int
    cores_physical: int
    memory_bytes: int
    memory_available_bytes: int
    battery: Battery | None = None


def portable() -> Portable:
    """This machine."""
    memory = psutil.virtual_memory()
    return Portable(
        system=platform.system(),
        release=platform.release(),
        architecture=platform.machine(),
        processor=platform.processor(),
        threads=_threads(),
        cores_physical=psutil.cpu_count(logical=False) or psutil.cpu_count() or 1,
        memory_bytes=int(memory.total),
        memory_available_bytes=int(memory.available),
        battery=_battery(),
    )


def disk_free_bytes(path: Path) -> int | None:
    """Free bytes where `path` is, or will be; None when that cannot be told."""
    try:
        place = next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())
        return int(psutil.disk_usage(str(place)).free)
    except (OSError, StopIteration):
        return None


def _threads() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else psutil.cpu_count() or 1


def _battery() -> Battery | None:
    try:
        found = psutil.sensors_battery()
    except (AttributeError, OSError, RuntimeError):  # psutil has it on some systems only
        return None
    return None if found is None else Battery(percent=float(found.percent), plugged=found.power_plugged)
