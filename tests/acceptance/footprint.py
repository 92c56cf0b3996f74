"""What processes hold: memory and descriptors, so that a leak can be told from warmth."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

MB = 1024 * 1024
GROWTH = 1.05  # what issue and release notes promise: below 5 % after the warm-up
FEW = 10  # descriptors that may be open by chance: a socket that closes, a file just read
PASSING = ("autovacuum worker", "parallel worker", "vacuum", "initdb")


@dataclass(frozen=True)
class Held:
    """Bytes that only these processes hold, and their open descriptors."""

    bytes: int
    descriptors: int

    def __str__(self) -> str:
        return f"{self.bytes / MB:.1f} MB, {self.descriptors} descriptors"


def process(one: psutil.Process) -> Held:
    """A single process: its resident memory."""
    return Held(one.memory_info().rss, one.num_fds())


def postgres(pool: psutil.Process) -> Held:
    """The pool's own PostgreSQL: the anonymous memory of the largest of its lasting processes, and its descriptors.

    The shared buffers are a cache of 64 MB that fills with use, and the pool opens connections (a process each) as it needs
    them, up to a bound: neither is a leak, and neither RSS nor "unique" memory leaves them out.
    """
    found = [Held(0, 0)]
    for child in pool.children(recursive=True):
        try:
            line = " ".join(child.cmdline())
            if "postgres" in line and not any(name in line for name in PASSING):
                found.append(Held(anonymous_bytes(child.pid), child.num_fds()))
        except (psutil.NoSuchProcess, FileNotFoundError):
            continue
    assert found[1:], "no PostgreSQL under the pool"
    return max(found, key=lambda held: held.bytes)


def anonymous_bytes(pid: int) -> int:
    """Proportional anonymous memory (proc(5), smaps_rollup)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("Pss_Anon:"))


@dataclass
class Growth:
    """Takes every figure before and after; `told` says them all, `excess` those that grew too far."""

    looks: Mapping[str, Callable[[], Held]]
    before: dict[str, Held] = field(default_factory=dict)
    after: dict[str, Held] = field(default_factory=dict)

    def begin(self) -> None:
        self.before = self._look()

    def end(self, settle_s: float = 0.0) -> None:
        time.sleep(settle_s)
        self.after = self._look()

    def _look(self) -> dict[str, Held]:
        return {name: look() for name, look in self.looks.items()}

    def told(self) -> str:
        return "\n".join(
            f"{name}: {self.before[name]} -> {after} ({100 * (after.bytes / self.before[name].bytes - 1):+.1f} %)"
            for name, after in self.after.items()
        )

    def excess(self) -> list[str]:
        """Names of what grew by 5 % or more, or holds more descriptors."""
        return [
            name
            for name, after in self.after.items()
            if after.bytes >= GROWTH * self.before[name].bytes or after.descriptors > self.before[name].descriptors + FEW
        ]
