"""RAM: what is there and free, under the smallest cgroup limit; swap and zram do not count."""

from pathlib import Path

from appliance.agent.machine import Memory
from appliance.agent.probe.cgroup import memory_limit
from appliance.agent.probe.files import fields
from appliance.agent.probe.portable import Portable

KIB = 1024


def memory(root: Path, known: Portable) -> Memory:
    """From /proc/meminfo under `root`, or what `known` has."""
    found = fields(root / "proc/meminfo")
    total = _kib(found.get("MemTotal")) or known.memory_bytes
    available = _kib(found.get("MemAvailable"))
    if available is None:
        available = min(total, known.memory_available_bytes)
    limit, free, where = memory_limit(root)
    return Memory(total_bytes=min(total, limit), available_bytes=min(available, free), limit=where if free < available else "")


def _kib(text: str | None) -> int | None:
    """The bytes of a line such as `16316412 kB`."""
    word = (text or "").partition(" ")[0]
    return int(word) * KIB if word.isdigit() else None
