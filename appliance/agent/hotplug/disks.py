"""Removable disks that are mounted and have a folder `models`. Nothing is mounted or written here."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

NAME = "models"
MOUNTS = Path("/proc/self/mountinfo")
DEVICES = Path("/sys/dev/block")
_OCTAL = re.compile(r"\\([0-7]{3})")


def mounted(mountinfo: str) -> Iterator[tuple[str, Path]]:
    """(major:minor, where) of each whole file system that is on a block device (proc_pid_mountinfo(5)). Pure."""
    for line in mountinfo.splitlines():
        words = line.split(" ")
        if len(words) > 4 and words[3] == "/" and not words[2].startswith("0:"):
            yield words[2], Path(_OCTAL.sub(lambda found: chr(int(found[1], 8)), words[4]))


def is_removable(device: str, devices: Path = DEVICES) -> bool:
    """Whether it is on a USB bus or says of itself (or its whole disk does) that it can be taken out."""
    try:
        place = (devices / device).resolve(strict=True)
    except OSError:
        return False
    if any(re.fullmatch(r"usb\d+", part) for part in place.parts):
        return True
    return any(_says_removable(each) for each in (place, place.parent))


def model_folders(
    mounts: Path = MOUNTS, removable: Callable[[str], bool] = is_removable, root: Path = Path("/")
) -> tuple[Path, ...]:
    """The `models` folders of the removable disks that are mounted now."""
    try:
        found = list(mounted(mounts.read_text(errors="surrogateescape")))
    except OSError:
        return ()
    folders = [where / NAME for device, where in found if where != root and removable(device)]
    return tuple(dict.fromkeys(folder for folder in folders if _is_folder(folder)))


@dataclass(slots=True)
class Folders:
    """Remembers which folders were there."""

    look: Callable[[], tuple[Path, ...]] = model_folders
    _known: tuple[Path, ...] = field(default=())

    def new(self) -> tuple[Path, ...]:
        """Those that came since the last call."""
        before, self._known = self._known, self.look()
        return tuple(each for each in self._known if each not in before)


def _says_removable(place: Path) -> bool:
    try:
        return (place / "removable").read_text().strip() == "1"
    except OSError:
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False
