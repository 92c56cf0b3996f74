"""The running system moved from the stick to memory: its loop device gets a copy as its file, and nothing notices."""

import fcntl
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from appliance.medium.stick import StickError, tool

LOOP_CHANGE_FD = 0x4C06  # loop(4): another file of the same size under a read-only loop device
SHARE = 16  # by itself only where it takes no more than this part of the memory
LEFT_BYTES = 512 << 20  # wished: what the worker needs at least beside it
_SLACK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """The file system that runs: its loop device, the file under it and whether that lies in memory already."""

    loop: str
    file: Path
    size_bytes: int
    in_memory: bool


@dataclass(frozen=True, slots=True)
class Room:
    """The machine's memory."""

    total_bytes: int
    available_bytes: int


def room(meminfo: str) -> Room:
    """Of /proc/meminfo's text."""
    found = {name: int(kib) << 10 for name, kib in re.findall(r"^(\w+):\s+(\d+) kB", meminfo, re.MULTILINE)}
    return Room(found["MemTotal"], found["MemAvailable"])


def worth(wished: bool | None, size_bytes: int, room: Room) -> bool:
    """Whether to copy: never against the wish, and never when too little would be left."""
    if wished is False or room.available_bytes < size_bytes + LEFT_BYTES:
        return False
    return wished is True or size_bytes * SHARE <= room.total_bytes


def system_of(mounts: str, sys: Path = Path("/sys")) -> System:
    """The squashfs that /proc/self/mountinfo's text tells of. Raises StickError."""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        if after.startswith("squashfs "):
            block = (sys / "dev/block" / before.split(" ")[2]).resolve()
            try:
                file = Path((block / "loop/backing_file").read_text().rstrip("\n"))
                size_bytes = int((block / "size").read_text()) * 512
            except (OSError, ValueError) as error:
                raise StickError(f"the system's loop device {block.name} tells nothing: {error}") from error
            return System(loop=f"/dev/{block.name}", file=file, size_bytes=size_bytes, in_memory="/iamine/system/" in str(file))
    raise StickError("this system does not run from a squashfs")


def copy(system: System, folder: Path) -> None:
    """Copy and change over. Raises StickError or OSError; then all is as it was."""
    folder.mkdir(parents=True, exist_ok=True)
    size = system.size_bytes + _SLACK_BYTES
    tool("mount", "-t", "tmpfs", "-o", f"size={size},mode=0700,nosuid,nodev,noexec", "iamine-system", str(folder))
    try:
        target = folder / "filesystem.squashfs"
        with open(system.loop, "rb", buffering=0) as source, target.open("wb") as made:  # noqa: PTH123 (a device)
            shutil.copyfileobj(source, made, 1 << 20)
        if target.stat().st_size != system.size_bytes:
            raise StickError(f"{target.stat().st_size} of {system.size_bytes} bytes were read from {system.loop}")
        _change(system.loop, target)
    except BaseException:
        tool("umount", "--lazy", str(folder))
        raise


def _change(loop: str, target: Path) -> None:
    device, file = os.open(loop, os.O_RDONLY), os.open(target, os.O_RDONLY)
    try:
        fcntl.ioctl(device, LOOP_CHANGE_FD, file)
    finally:
        os.close(file)
        os.close(device)
