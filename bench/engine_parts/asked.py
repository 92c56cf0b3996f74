"""What every contender is asked, and what its answer cost."""

import os
from dataclasses import dataclass, field
from pathlib import Path

TEXT = "Count from 1 to 60 and tell me about the river, the horse and the blue stone. "
GREEDY: dict[str, float] = {"temperature": 0.0}
SAMPLED: dict[str, float] = {"temperature": 0.8, "top_k": 40, "top_p": 0.95}  # llama-server's own defaults


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """So many prompts, `at_once` of them at a time, each answered with `tokens` tokens whatever the model says.

    Without `ignore_eos` (this engine only) an answer ends where the model ends it.
    """

    prompts: tuple[str | tuple[int, ...], ...]
    tokens: int
    at_once: int
    ignore_eos: bool = True
    sampling: dict[str, float] = field(default_factory=lambda: dict(GREEDY))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Tokens written, seconds of processor (user and system, all threads of the process) and on the clock."""

    tokens: int
    cpu_s: float
    wall_s: float

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(tokens=self.tokens + other.tokens, cpu_s=self.cpu_s + other.cpu_s, wall_s=self.wall_s + other.wall_s)


NOTHING = Cost(tokens=0, cpu_s=0.0, wall_s=0.0)


def prompts(count: int, first: int, repeats: int = 1) -> tuple[str, ...]:
    """So many texts that differ from their first character on, so that none finds another's beginning in a cache."""
    return tuple(f"{first + n} {TEXT * repeats}" for n in range(count))


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
