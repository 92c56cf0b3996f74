"""`iamine bench`: each model at hand is loaded as a worker would load it, and measured beside what was expected of it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from appliance.agent import fit
from appliance.agent.config import Settings
from appliance.agent.errors import EngineFailed
from appliance.agent.machine import Hardware
from appliance.agent.plan import plan
from appliance.agent.runner import Runner
from appliance.agent.types import ModelFile, ModelSpec

LEAST_SHARE = 0.5  # below this share of the expected speed something is wrong with the expectation or the machine
COLUMNS = ("model", "load", "prompt tokens/s", "tokens/s", "expected", "verdict")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One model on this machine; speeds in tokens/s of one sequence, 0.0 where it did not load (then `verdict` says why)."""

    model: str
    file_sha256: str
    slots: int
    context_tokens: int
    load_s: float
    prefill_tps: float
    decode_tps: float
    expected_tps: float
    verdict: str


def specs(settings: Settings, machine: Hardware, files: Sequence[ModelFile], named: str) -> tuple[ModelSpec, ...]:
    """How a worker would load each chat model that fits, or the named one."""
    wanted = [named] if named else [file.model.id for file in files if file.model.kind == "chat"]
    plans = [plan(replace(settings, model=model, models=()), machine, files) for model in wanted]
    return tuple(spec for each in plans for spec in each.specs)


async def measure(spec: ModelSpec, file: ModelFile, room: fit.Budget, quarantine_dir: Path) -> Measured:
    """Load the model in an engine of its own, take its self-test, let it go."""
    runner = Runner(on_frame=lambda frame: None, on_offers=lambda offers: None, quarantine_dir=quarantine_dir)
    expected = fit.speed_tps(file.model, room)
    began = time.monotonic()
    prefill = decode = 0.0
    try:
        offer = await runner.load(spec)
        prefill, decode = offer.prefill_tps, offer.decode_tps
        said = verdict(decode, expected)
    except EngineFailed as error:
        said = f"does not load: {error.message}"
    finally:
        load_s = time.monotonic() - began
        await runner.close()
    return Measured(
        model=spec.model,
        file_sha256=spec.file_sha256,
        slots=spec.slots,
        context_tokens=spec.context_tokens,
        load_s=round(load_s, 2),
        prefill_tps=prefill,
        decode_tps=decode,
        expected_tps=round(expected, 1),
        verdict=said,
    )


def verdict(decode_tps: float, expected_tps: float) -> str:
    """The measured speed in words."""
    if decode_tps < fit.LEAST_TPS:
        return f"too slow for a chat ({fit.LEAST_TPS:.0f} tokens/s is the least)"
    if decode_tps < LEAST_SHARE * expected_tps:
        return "less than half of what was expected: is something else running?"
    return "as expected" if decode_tps < 2 * expected_tps else "faster than expected"


def row(measured: Measured) -> tuple[str, ...]:
    """A line of the table."""
    return (
        measured.model,
        f"{measured.load_s:.1f} s",
        f"{measured.prefill_tps:.0f}",
        f"{measured.decode_tps:.1f}",
        f"{measured.expected_tps:.1f}",
        measured.verdict,
    )
