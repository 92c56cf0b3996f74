"""How many threads the engine may use: physical cores, cut by affinity and by the cgroup's quota."""

import math
import os
from pathlib import Path

CPU = Path("/sys/devices/system/cpu")
CGROUP = Path("/sys/fs/cgroup")
SELF_CGROUP = Path("/proc/self/cgroup")


def thread_count(*, allowed: set[int], core_of: dict[int, str], quota_cores: float | None) -> int:
    """One thread per physical core among the allowed CPUs, at most the quota (rounded down), at least 1."""
    cores = {core_of.get(cpu, f"cpu{cpu}") for cpu in allowed}
    limit = len(cores) if quota_cores is None else min(len(cores), math.floor(quota_cores + 0.25))
    return max(1, limit)


def parse_cpu_max(text: str) -> float | None:
    """Cores from cgroup v2's cpu.max ("200000 100000" is 2.0, "max 100000" is None); None when unreadable."""
    fields = text.split()
    if len(fields) != 2 or not all(f.isdigit() for f in fields) or int(fields[1]) == 0:
        return None
    return int(fields[0]) / int(fields[1])


def usable_threads() -> int:
    """`thread_count` for this process on this machine."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    return thread_count(allowed=set(allowed), core_of=_core_names(allowed), quota_cores=_quota_cores())


def _core_names(cpus: set[int]) -> dict[int, str]:
    """CPU number -> its siblings' list, which names the physical core; CPUs the kernel does not tell are left out."""
    return {cpu: text for cpu in cpus if (text := _read(CPU / f"cpu{cpu}/topology/thread_siblings_list"))}


def _quota_cores() -> float | None:
    """The smallest quota on the way from this process's cgroup up to the root; None is no quota."""
    line = next((x for x in _read(SELF_CGROUP).splitlines() if x.startswith("0::")), "0::/")
    group = CGROUP / line[3:].lstrip("/")
    quotas = [q for folder in (group, *group.parents) if (q := parse_cpu_max(_read(folder / "cpu.max"))) is not None]
    return min(quotas, default=None)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
