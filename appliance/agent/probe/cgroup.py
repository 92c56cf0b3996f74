"""What a container may use: the smallest limits of this process's cgroup and of all groups above it, versions 1 and 2."""

from collections.abc import Iterator
from pathlib import Path

from appliance.agent.probe.files import first_number, number, read

UNLIMITED_BYTES = 1 << 60  # version 1 writes a number near 2^63 for "no limit"


def cpu_quota(root: Path) -> float | None:
    """Cores' worth of time that the smallest quota allows; None for no quota."""
    quotas = [quota for folder in groups(root, "cpu") if (quota := _quota(folder)) is not None]
    return min(quotas, default=None)


def memory_limit(root: Path) -> tuple[int, int, str]:
    """(smallest limit, least that is free below one, the group that sets the least); huge numbers and "" for none."""
    limit = free = UNLIMITED_BYTES
    where = ""
    for folder in groups(root, "memory"):
        most = first_number(folder, "memory.max", "memory.limit_in_bytes")
        if most is None or most >= UNLIMITED_BYTES:
            continue
        used = first_number(folder, "memory.current", "memory.usage_in_bytes") or 0
        left = max(0, most - used + _reclaimable(folder))
        limit = min(limit, most)
        if left < free:
            free, where = left, "/" + str(folder.relative_to(root / "sys/fs/cgroup")).lstrip(".")
    return limit, free, where


def groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of this process's group and all above it: in the version 2 tree and in `controller`'s version 1 tree."""
    for line in (read(root / "proc/self/cgroup") or "").splitlines():
        _, _, rest = line.partition(":")
        names, _, place = rest.partition(":")
        if names == "":
            tops = [root / "sys/fs/cgroup", root / "sys/fs/cgroup/unified"]
        elif controller in names.split(","):
            tops = [root / "sys/fs/cgroup" / names, root / "sys/fs/cgroup" / controller]
        else:
            continue
        for top in tops:
            folder = top / place.lstrip("/")
            yield from (each for each in (folder, *folder.parents) if each == top or top in each.parents)


def _quota(folder: Path) -> float | None:
    """Cores from cpu.max (version 2) or cpu.cfs_quota_us (version 1)."""
    words = (read(folder / "cpu.max") or "").split()
    if len(words) == 2 and words[0].isdigit() and words[1].isdigit() and int(words[1]):
        return int(words[0]) / int(words[1])
    quota, period = number(folder / "cpu.cfs_quota_us"), number(folder / "cpu.cfs_period_us")
    return quota / period if quota and period and quota > 0 else None


def _reclaimable(folder: Path) -> int:
    """Page cache that the kernel gives back under pressure; it counts as used in a cgroup."""
    for line in (read(folder / "memory.stat") or "").splitlines():
        name, _, value = line.partition(" ")
        if name in {"inactive_file", "total_inactive_file"} and value.strip().isdigit():
            return int(value)
    return 0
