"""What was measured of a model file on this machine, and what follows from it: pure.

A verdict holds for one place (hardware, driver, engine build, way of running) and one file; another place knows nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from appliance.agent.machine import Hardware

LEAST_SHARE = 0.5  # of the expected speed: below it the expectation is wrong, or the machine is
ENOUGH_TPS = 20.0  # at least twice as fast as people read: whatever was expected, no smaller model would be better
MEASURE_S = 12.0  # for the whole measure, at the first load of a file
QUICK_TPS, QUICK_S = 300.0, 0.8  # a model expected to be so fast is small: it is measured in less, whatever else runs
FILL = 0.9  # of a slot's context is to be read (see engine.measuring)
GIB = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where and how something was measured, in words that are compared and read; any difference makes it another place."""

    hardware: str
    driver: str
    engine: str
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One file's figures in tokens/s; `failure` says instead why it could not be loaded. `at` is seconds since 1970.

    `prefill_tokens` were read of a context of `context_tokens`; `decode_tps` is one sequence's speed, `decode_all_tps` that of
    all `slots` together, `expected_tps` what had been predicted for one.
    """

    model: str
    file_sha256: str
    at: float
    slots: int = 0
    context_tokens: int = 0
    load_s: float = 0.0
    prefill_tps: float = 0.0
    prefill_tokens: int = 0
    decode_tps: float = 0.0
    decode_all_tps: float = 0.0
    expected_tps: float = 0.0
    failure: str = ""

    @property
    def slow(self) -> bool:
        """Below half of what was expected, and too slow to be forgiven."""
        return not self.failure and self.decode_tps < min(ENOUGH_TPS, LEAST_SHARE * self.expected_tps)

    @property
    def good(self) -> bool:
        """Loaded and fast enough."""
        return not self.failure and not self.slow

    @property
    def whole(self) -> bool:
        """Whether as much of the context was read as was meant to be."""
        return self.prefill_tokens >= int(FILL * self.context_tokens)


def place(hardware: Hardware, build: str, how: str) -> Place:
    """The place that this machine is, with an engine of this `build`, used in this way."""
    cpu, devices = hardware.cpu, hardware.usable_devices
    memory = f"{hardware.memory.total_bytes / GIB:.0f} GiB"  # a kernel takes a little more or less with each version
    processor = f"{cpu.name}, {cpu.threads} threads, {cpu.cores_usable:g} usable, {memory}"
    return Place(
        hardware="; ".join([processor, *(f"{each.name}, {each.memory_bytes / GIB:.0f} GiB" for each in devices)]),
        driver="; ".join(" ".join((each.backend, each.driver, each.driver_version)).strip() for each in devices),
        engine=f"{build}; {', '.join(hardware.engine.backends)}; {hardware.engine.variant}",
        how=how,
    )


def measure_s(expected_tps: float) -> float:
    """Seconds for the whole measure of a model that should decode so fast."""
    return QUICK_S if expected_tps >= QUICK_TPS else MEASURE_S


def usable(known: Mapping[str, Verdict], hashes: Sequence[str]) -> tuple[str, ...]:
    """The files worth loading: those that nothing speaks against, else the fastest of the slow ones; none when all failed."""
    free = tuple(each for each in hashes if each not in known or known[each].good)
    if free:
        return free
    slow = [each for each in hashes if known[each].slow]
    return tuple(sorted(slow, key=lambda each: (-known[each].decode_tps, each))[:1])


def against(verdict: Verdict) -> str:
    """What speaks against the file, in words; "" when nothing does."""
    if verdict.failure:
        return f"{verdict.model} did not load here ({verdict.failure})"
    if verdict.slow:
        return f"{verdict.model} measured {verdict.decode_tps:.1f} tokens/s where {verdict.expected_tps:.1f} were expected"
    return ""


def figures(verdict: Verdict) -> str:
    """The speeds in words, and whether the time sufficed for the whole context."""
    read = f"reads {verdict.prefill_tps:.0f} tokens/s"
    if not verdict.whole:
        read += f" (so slow that only {verdict.prefill_tokens} of {int(FILL * verdict.context_tokens)} tokens were tried)"
    together = f", {verdict.decode_all_tps:.1f} with {verdict.slots} answers at once" if verdict.slots > 1 else ""
    return f"{read}, writes {verdict.decode_tps:.1f}{together}; {verdict.expected_tps:.1f} were expected"
