"""One file from one source onto the disk: resumed, hashed along the way, and named as finished only when its hash is right.

The unfinished file bears `.part`. Whenever the process ends, what lies under the final name is whole and checked.
"""

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from appliance.agent.fetch.sources import Broken, Source, Wrong
from iamine.manifest import File, Model

PART = ".part"
READ_BYTES = 4 << 20
TRIES = 4  # in a row that bring less than this
PROGRESS_BYTES = 64 << 10
PAUSES_S = (0.5, 2.0, 5.0)

Told = Callable[[int, int], None]


class Stopped(Exception):
    """Somebody asked to stop; what is there stays for the next time."""


class _Patched(Wrong):
    """Wrong, but from several connections: the beginning may be of another source or day, or the file changed meanwhile.

    So the source gets one more chance, from the beginning.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """What waits and what stops: `stopped` is asked between pieces."""

    sleep: Callable[[float], None] = time.sleep
    stopped: Callable[[], bool] = lambda: False


def land(source: Source, model: Model, file: File, target: Path, *, told: Told, clock: Clock = Clock()) -> None:
    """Have `target` hold the file. `told(done, total)` hears of bytes. Raises NotThere, Broken, Wrong, Stopped, OSError."""
    part = target.with_name(target.name + PART)
    try:
        _fill(source, model, file, part, told=told, clock=clock)
    except _Patched:
        part.unlink(missing_ok=True)
        _fill(source, model, file, part, told=told, clock=clock)
    _finish(part, target)


def _front(part: Path, file: File) -> int:
    """How much is there already; more than there should be is thrown away."""
    try:
        size = part.stat().st_size
    except OSError:
        return 0
    if size > file.bytes:
        part.unlink()
        return 0
    return size


def _fill(source: Source, model: Model, file: File, part: Path, *, told: Told, clock: Clock) -> None:
    """Bring the unfinished file to its end and check it; without progress a few times, each after a longer pause."""
    failures = 0
    while True:
        before = _front(part, file)
        try:
            _stream(source, model, file, part, told=told, clock=clock)
        except Broken as error:
            failures = 0 if _front(part, file) >= before + PROGRESS_BYTES else failures + 1
            if failures >= TRIES:
                raise
            if failures:
                clock.sleep(PAUSES_S[min(failures, len(PAUSES_S)) - 1])
            if clock.stopped():
                raise Stopped from error
            continue
        except Wrong as error:
            if before:
                raise _Patched(*error.args) from error
            raise
        return


def _stream(source: Source, model: Model, file: File, part: Path, *, told: Told, clock: Clock) -> None:
    """One connection. The hash runs along the contiguous front: what is there first, then what comes."""
    with part.open("ab") as out:
        start = out.tell()
        if start == file.bytes:
            _check(_hash_of(part), file, part)
            return
        with source.open(model, file, start) as sent:
            if sent.start != start:
                out.truncate(sent.start)
            digest, done = _hash_of(part), sent.start
            for chunk in sent.chunks:
                done += len(chunk)
                if done > file.bytes:
                    out.truncate(0)
                    raise Wrong(f"it sends more than the {file.bytes} bytes of the file")
                out.write(chunk)
                out.flush()  # a killed process loses nothing that was told
                digest.update(chunk)
                told(done, file.bytes)
                if clock.stopped():
                    raise Stopped
        if done < file.bytes:
            raise Broken(f"it ended after {done} of {file.bytes} bytes")
        os.fsync(out.fileno())
    _check(digest, file, part)


def _check(digest: "hashlib._Hash", file: File, part: Path) -> None:
    if digest.hexdigest() != file.sha256:
        part.unlink()
        raise Wrong(f"its file has another SHA-256 ({digest.hexdigest()[:12]}... instead of {file.sha256[:12]}...)")


def _hash_of(path: Path) -> "hashlib._Hash":
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(READ_BYTES):
            digest.update(chunk)
    return digest


def _finish(part: Path, target: Path) -> None:
    """Land it: the name appears at once and only for the whole file."""
    part.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
