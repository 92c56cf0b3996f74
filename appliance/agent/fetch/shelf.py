"""The fetched models on disk: a folder for each, named by the SHA-256 of the file that is opened."""

import os
import shutil
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from appliance.agent.errors import AgentError
from appliance.agent.fetch.landing import PART
from appliance.agent.fetch.room import Kept, make_room
from iamine.manifest import File, Model

_DIGITS = 64


class NoRoom(AgentError):
    """The disk has no room for the model, even with the others that may go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """The models folder. What a person put there is never touched, only the folders that are named by a hash."""

    folder: Path
    free_bytes: Callable[[Path], int] = lambda folder: int(psutil.disk_usage(str(folder)).free)

    def target(self, model: Model, file: File) -> Path:
        """Where the file belongs."""
        return self.folder / model.file_sha256 / Path(file.path).name

    def has(self, model: Model, file: File) -> bool:
        """Whether it has landed (what lands is checked; `scan` checks it again when it changed)."""
        try:
            return self.target(model, file).stat().st_size == file.bytes
        except OSError:
            return False

    def missing_bytes(self, model: Model) -> int:
        """What is still to be fetched of the model."""
        return sum(file.bytes - self._there(model, file) for file in model.file)

    def kept(self) -> tuple[Kept, ...]:
        """The models here, whole or not."""
        folders = [each for each in self._folders() if len(each.name) == _DIGITS and each.is_dir()]
        return tuple(Kept(sha256=each.name, size_bytes=_size(each), used_at=each.stat().st_mtime) for each in folders)

    def used(self, sha256: str) -> None:
        """The model is used now."""
        place = self.folder / sha256
        if place.is_dir():
            os.utime(place, (time.time(), time.time()))

    def make_room(self, model: Model, needed: Collection[str] = ()) -> tuple[Kept, ...]:
        """Remove what was used longest ago until the model fits; what was removed. Raises NoRoom before anything goes."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        room = make_room(self.missing_bytes(model), self.free_bytes(self.folder), self.kept(), {model.file_sha256, *needed})
        if not room.enough:
            hint = f"make room in {self.folder}, or name another folder with --models-dir DIR"
            raise NoRoom(f"{model.id} does not fit on the disk: {room.reason}", hint=hint)
        for each in room.remove:
            shutil.rmtree(self.folder / each.sha256, ignore_errors=True)
        return room.remove

    def _there(self, model: Model, file: File) -> int:
        target = self.target(model, file)
        for path in (target, target.with_name(target.name + PART)):
            try:
                return min(file.bytes, path.stat().st_size)
            except OSError:
                continue
        return 0

    def _folders(self) -> list[Path]:
        try:
            return sorted(self.folder.iterdir())
        except OSError:
            return []


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
