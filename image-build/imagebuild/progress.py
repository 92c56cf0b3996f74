"""Pure: a compiler's log as progress; and how many compilers fit this machine."""

import re
from collections.abc import Callable
from dataclasses import dataclass

HEAVY_BYTES = 3_300_000_000  # the shaders of mul_mm in one file; measured, GCC 14, November 2026
USUAL_BYTES = 700_000_000  # any other file but one, which takes 1.3 GB
_STEP = re.compile(r"\[(\d+)/(\d+)\] (.*)")
_EACH_PERCENT = 10


@dataclass(slots=True)
class Steps:
    """Told each line of ninja's, it says every tenth of the work once; on a `terminal` every step, on one moving line.

    A step that is a build of its own writes such lines too: those with fewer steps than the whole are passed over.
    """

    say: Callable[[str], None]
    terminal: bool
    _said: int = -1
    _total: int = 0

    def __call__(self, line: str) -> None:
        step = _STEP.match(line)
        if step is None:
            return
        done, total = int(step[1]), int(step[2])
        if done == 0 or total < self._total:
            return
        self._total = total
        tenth = 100 * done // total // _EACH_PERCENT
        text = f"[{done}/{total}] {100 * done // total} % {_subject(step[3])}"
        if self.terminal:
            self.say(f"\r\033[K    {text}" if done < total else "\r\033[K")
        elif tenth > self._said:
            self.say(f"    {text}\n")
        self._said = tenth


def _subject(step: str) -> str:
    """What is made: the last path's own name."""
    return step.rpartition("/")[2].removesuffix(".o")[:60]


def compilers(cores: int, memory_bytes: int) -> int:
    """How many at once: one per core, while the heavy file and the usual ones beside it fit. At least 1."""
    return max(1, min(cores, 1 + (memory_bytes - HEAVY_BYTES) // USUAL_BYTES))
