"""Whether there is room for a file, and which kept models have to go for it: those that were used longest ago. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from appliance.agent.fit import gigabytes

RESERVE_BYTES = 1 << 30  # the disk is not ours alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A model that was fetched: its hash, its size with what is unfinished, and when it was used last (seconds since 1970)."""

    sha256: str
    size_bytes: int
    used_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What to remove, oldest first; not `enough` says in `reason` what is missing."""

    enough: bool
    remove: tuple[Kept, ...] = ()
    reason: str = ""


def make_room(need_bytes: int, free_bytes: int, kept: Sequence[Kept], needed: Collection[str]) -> Room:
    """Room for so many bytes more. What is `needed` (hashes: loaded, or being fetched) is never removed."""
    missing = need_bytes + RESERVE_BYTES - free_bytes
    if missing <= 0:
        return Room(enough=True)
    chosen: list[Kept] = []
    for each in sorted((each for each in kept if each.sha256 not in needed), key=lambda each: (each.used_at, each.sha256)):
        if missing <= 0:
            break
        chosen.append(each)
        missing -= each.size_bytes
    if missing > 0:
        have = gigabytes(max(0, free_bytes))
        reason = f"it needs {gigabytes(need_bytes)} of disk and {gigabytes(RESERVE_BYTES)} to spare, {have} are free"
        return Room(enough=False, reason=reason)
    return Room(enough=True, remove=tuple(chosen))
