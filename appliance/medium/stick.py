"""The stick that this system was started from, found by its mount, never by a label: another stick may be in the machine."""

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from appliance.medium.ids import DATA_TYPE

LIVE_MEDIUM = "/run/live/medium"
TOOL_S = 120.0
_OCTAL = re.compile(r"\\([0-7]{3})")


class StickError(Exception):
    """Something with the stick does not work; its text says what."""


@dataclass(frozen=True, slots=True)
class Stick:
    """The whole disk, as /dev/sdb."""

    disk: str

    def partition(self, number: int, sys: Path = Path("/sys")) -> str:
        """The device of partition `number`. Raises StickError when the kernel knows none."""
        name = Path(self.disk).name
        for entry in sorted((sys / "class/block" / name).resolve().glob(f"{name}*/partition")):
            if entry.read_text().strip() == str(number):
                return f"/dev/{entry.parent.name}"
        raise StickError(f"{self.disk} has no partition {number}")


def started_from(mounts: str, sys: Path = Path("/sys")) -> Stick:
    """The disk whose partition is mounted as the live medium, of /proc/self/mountinfo's text. Raises StickError."""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) > 4 and _OCTAL.sub(lambda match: chr(int(match[1], 8)), fields[4]) == LIVE_MEDIUM:
            device = (sys / "dev/block" / fields[2]).resolve()
            if (device / "partition").exists():
                return Stick(f"/dev/{device.parent.name}")
            raise StickError("the live medium is no partition of a disk")
    raise StickError("the stick is not mounted")


def tool(*command: str, fine: tuple[int, ...] = (0,)) -> str:
    """What the command prints. Raises StickError with its last words when it ends otherwise than `fine`."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=TOOL_S, stdin=subprocess.DEVNULL)
    if done.returncode not in fine:
        words = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
        raise StickError(f"{command[0]} ended with {done.returncode}: {words[-1]}")
    return done.stdout


def table(disk: str) -> dict[str, object]:
    """The partition table as sfdisk tells it."""
    found: dict[str, object] = json.loads(tool("sfdisk", "--json", disk))["partitiontable"]
    return found


def data_partition(disk: str) -> str | None:
    """The device of the data partition, when there is one."""
    listed = table(disk).get("partitions")
    for entry in listed if isinstance(listed, list) else []:
        if str(entry.get("type", "")).lower() == DATA_TYPE:
            return str(entry["node"])
    return None
