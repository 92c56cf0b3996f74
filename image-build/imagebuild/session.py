"""One build on this machine: checked before, alone on its cache, told in words how it ended."""

import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from imagebuild import host
from imagebuild.errors import BuildError
from imagebuild.plan import ROOT, Site
from imagebuild.stage import Shelf, say

EXIT_FAILED, EXIT_INTERRUPTED = 1, 130


def default_cache() -> Path:
    """Where stages are kept unless somebody says otherwise."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "iamine" / "image"


def run(cache: Path, work: Callable[[Site], Path], *, recipe: str, free_bytes: int = host.FREE_BYTES) -> int:
    """What `work` made is told; 0, or 1 with what went wrong and what to try. Ctrl-C and SIGTERM leave nothing half made."""
    began, before = time.monotonic(), signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        host.check(cache, recipe=recipe, free_bytes=free_bytes)
        with _alone(cache):
            made = work(_site(cache))
    except BuildError as error:
        say(f"error: {error.message}")
        if error.hint:
            say(f"try: {error.hint}")
        return EXIT_FAILED
    except KeyboardInterrupt:
        say("\ninterrupted; the stages that were complete are kept, the same command goes on from there")
        return EXIT_INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, before)
    say(f"{made} after {time.monotonic() - began:.0f} s")
    return 0


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    with (cache / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another build uses {cache}: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _site(cache: Path) -> Site:
    return Site(
        shelf=Shelf(cache), sources=tuple(host.sources()), apt_options=tuple(host.apt_options()), epoch=host.epoch(ROOT)
    )
