"""Stages whose results are kept: a folder per stage and hash of inputs, made aside and renamed when complete."""

import hashlib
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from imagebuild.errors import BuildError

KEY_DIGITS = 16
KEPT_PER_STAGE = 2  # the newest and the one before, for changes of mind
LOG_LINES_SHOWN = 25
REMOVE_TRIES, REMOVE_PAUSE_S = 5, 0.2


def digest(parts: Iterable[str | bytes | Path], root: Path) -> str:
    """A hash of texts and of files with their paths below `root`, modes (executable or not) and content."""
    sha = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            for path in sorted(files(part)):
                sha.update(f"\0{path.relative_to(root)}\0{_kind(path)}\0".encode())
                sha.update(str(path.readlink()).encode() if path.is_symlink() else path.read_bytes())
        else:
            sha.update(b"\0" + (part.encode() if isinstance(part, str) else part))
    return sha.hexdigest()[:KEY_DIGITS]


def files(path: Path) -> Iterator[Path]:
    """The file itself, or every file below the folder except caches."""
    if path.is_symlink() or path.is_file():
        yield path
        return
    for each in path.rglob("*"):
        if (each.is_symlink() or each.is_file()) and "__pycache__" not in each.parts:
            yield each


def _kind(path: Path) -> str:
    if path.is_symlink():
        return "link"
    return "x" if path.stat().st_mode & 0o100 else "-"


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where results lie: `root/stage-key/`. One build at a time uses it (the caller holds a lock)."""

    root: Path

    def take(self, stage: str, key: str, about: str, make: Callable[[Path, Path], None]) -> Path:
        """The stage's folder; `make(folder, log)` fills it when this key has none. Raises BuildError with the log's end."""
        done = self.root / f"{stage}-{key}"
        if done.is_dir():
            say(f"{stage:<9} kept   {about}")
            done.touch()
            return done
        say(f"{stage:<9} making {about}")
        draft, log, began = self.root / f"{stage}.draft", self.root / f"{stage}.log", time.monotonic()
        remove(draft)
        draft.mkdir(parents=True)
        log.write_bytes(b"")
        try:
            make(draft, log)
        except BuildError as error:
            for line in log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]:
                say(f"  | {line}")
            raise BuildError(f"{stage}: {error.message} (the whole story is in {log})", hint=error.hint) from error
        except BaseException:  # Ctrl-C: nothing half made is left
            remove(draft)
            raise
        draft.rename(done)
        say(f"{stage:<9} made   in {time.monotonic() - began:.0f} s")
        self._forget(stage)
        return done

    def _forget(self, stage: str) -> None:
        kept = sorted(self.root.glob(f"{stage}-*"), key=lambda path: path.stat().st_mtime, reverse=True)
        for old in kept[KEPT_PER_STAGE:]:
            remove(old)


def remove(folder: Path) -> None:
    """Delete a tree of ours; what was killed a moment ago may still write into it."""
    for _ in range(REMOVE_TRIES):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(REMOVE_PAUSE_S)
    shutil.rmtree(folder)


def say(line: str) -> None:
    """Progress, for whoever waits."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
