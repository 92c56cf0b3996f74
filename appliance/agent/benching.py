"""`iamine bench`: each model at hand, loaded as a worker would load it: measured beside what was expected of it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from appliance.agent import fit
from appliance.agent.config import Settings
from appliance.agent.errors import EngineFailed, EngineQuarantined
from appliance.agent.machine import Hardware
from appliance.agent.plan import plan
from appliance.agent.runner import Runner
from appliance.agent.settling import Book, asked, failed, measured
from appliance.agent.types import ModelFile, ModelSpec
from appliance.agent.verdict import LEAST_SHARE, Verdict

COLUMNS = ("model", "load", "prompt tokens/s", "tokens/s", "expected", "all slots", "verdict")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One model on this machine; speeds in tokens/s of one sequence, 0.0 where it did not load (then `verdict` says why).

    `prefill_tokens` were read; `decode_all_tps` is the speed of all slots together. `at` is when it was measured, in seconds
    since 1970; `remembered`: not now.
    """

    model: str
    file_sha256: str
    slots: int
    context_tokens: int
    load_s: float
    prefill_tps: float
    prefill_tokens: int
    decode_tps: float
    decode_all_tps: float
    expected_tps: float
    at: float
    remembered: bool
    verdict: str


def specs(settings: Settings, machine: Hardware, files: Sequence[ModelFile], named: str) -> tuple[ModelSpec, ...]:
    """How a worker would load each chat model that fits, or the named one."""
    wanted = [named] if named else [file.model.id for file in files if file.model.kind == "chat"]
    plans = [plan(replace(settings, model=model, models=()), machine, files) for model in wanted]
    return tuple(spec for each in plans for spec in each.specs)


async def measure(spec: ModelSpec, book: Book, quarantine_dir: Path, *, fresh: bool, say: Callable[[str], None]) -> Measured:
    """What is remembered of the model; if nothing is, or a `fresh` measure is wanted, it is loaded, measured and let go."""
    known = book.known.get(spec.file_sha256)
    if known is not None and not fresh and (known.failure or known.prefill_tps > 0):
        return shown(spec, known, remembered=True)
    runner = Runner(on_frame=lambda frame: None, on_offers=lambda offers: None, quarantine_dir=quarantine_dir)
    began = time.monotonic()
    try:
        await runner.load(asked(spec, None))
        loaded = runner.loaded(spec.file_sha256)
        assert loaded is not None, "it has just said so"
        found = measured(spec, loaded, load_s=time.monotonic() - began, at=time.time())
    except EngineFailed as error:
        found = failed(spec, error, at=time.time())
        say(f"{error.message}; {error.hint}" if error.hint else error.message)
        book.keep(found, lasting=not isinstance(error, EngineQuarantined) and spec.path.is_file())
    else:
        book.keep(found)
    finally:
        await runner.close()
    return shown(spec, found, remembered=False)


def shown(spec: ModelSpec, found: Verdict, *, remembered: bool) -> Measured:
    """A verdict as a line of the bench."""
    return Measured(
        model=spec.model,
        file_sha256=spec.file_sha256,
        slots=found.slots or spec.slots,
        context_tokens=found.context_tokens or spec.context_tokens,
        load_s=found.load_s,
        prefill_tps=found.prefill_tps,
        prefill_tokens=found.prefill_tokens,
        decode_tps=found.decode_tps,
        decode_all_tps=found.decode_all_tps,
        expected_tps=round(spec.expected_tps, 1),
        at=round(found.at),
        remembered=remembered,
        verdict=f"does not load: {found.failure}" if found.failure else verdict(found.decode_tps, spec.expected_tps),
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
    when = f" (measured {datetime.fromtimestamp(measured.at).astimezone():%Y-%m-%d})" if measured.remembered else ""
    return (
        measured.model,
        f"{measured.load_s:.1f} s",
        f"{measured.prefill_tps:.0f}",
        f"{measured.decode_tps:.1f}",
        f"{measured.expected_tps:.1f}",
        f"{measured.decode_all_tps:.1f} of {measured.slots}",
        measured.verdict + when,
    )
