"""What was measured, beside what was expected."""

from pathlib import Path

import pytest
from fakes.machines import made

from appliance.agent.benching import measure, row, specs, verdict
from appliance.agent.config import Options, settings
from appliance.agent.models import bundled_folder, scan
from appliance.agent.types import ModelFile
from appliance.agent.verdict import Place, Verdict
from appliance.agent.verdictfile import VerdictFile
from iamine.manifest import load


@pytest.mark.parametrize(
    ("measured", "expected", "said"),
    [(7.0, 5.0, "too slow"), (20.0, 50.0, "less than half"), (40.0, 50.0, "as expected"), (150.0, 50.0, "faster")],
)
def test_verdicts(measured: float, expected: float, said: str) -> None:
    assert said in verdict(measured, expected)


def test_every_chat_model_that_fits_is_measured_as_a_worker_would_load_it(tmp_path: Path) -> None:
    chosen = settings(Options(), {}, tmp_path)
    files = scan(load(), data_dir=tmp_path, models_dir=tmp_path / "models").files
    (spec,) = specs(chosen, made(4 * 10**9), files, "")
    assert (spec.model, spec.slots) == ("mote", 8)
    assert specs(chosen, made(4 * 10**9), files, "other") == ()
    assert specs(chosen, made(10**6), files, "") == ()


def opened(folder: Path, lines: list[str]) -> VerdictFile:
    return VerdictFile(folder, Place(hardware="h", driver="d", engine="e", how="w"), lines.append)


async def test_a_file_that_does_not_load_is_told_and_remembered(tmp_path: Path) -> None:
    chosen, machine, lines = settings(Options(), {}, tmp_path), made(4 * 10**9), list[str]()
    mote = load().model[0]
    bad = tmp_path / "bad.gguf"
    bad.write_bytes((bundled_folder() / mote.file[0].path).read_bytes()[:200_000])
    (spec,) = specs(chosen, machine, [ModelFile(model=mote, path=bad, known=True)], "")
    place = tmp_path / "quarantine"
    found = await measure(spec, opened(tmp_path, lines), place, fresh=False, say=lines.append)
    assert found.verdict.startswith("does not load")
    assert row(found)[0] == "mote"
    again = await measure(spec, opened(tmp_path, lines), place, fresh=False, say=lines.append)
    assert (again.remembered, again.verdict) == (True, found.verdict)
    assert "measured 20" in row(again)[-1]
    assert len(lines) == 1


async def test_a_fresh_measure_takes_the_place_of_what_is_remembered(tmp_path: Path) -> None:
    chosen, lines = settings(Options(), {}, tmp_path), list[str]()
    (spec,) = specs(chosen, made(4 * 10**9), scan(load(), data_dir=tmp_path, models_dir=tmp_path / "models").files, "")
    opened(tmp_path, lines).keep(Verdict(model="mote", file_sha256=spec.file_sha256, at=1.0, failure="no memory"))
    found = await measure(spec, opened(tmp_path, lines), tmp_path / "quarantine", fresh=True, say=lines.append)
    kept = opened(tmp_path, lines).known[spec.file_sha256]
    assert (kept.failure, kept.decode_tps) == ("", found.decode_tps)
    assert min(found.decode_tps, found.decode_all_tps, found.prefill_tps) > 0
    assert 0 < found.prefill_tokens <= int(0.9 * found.context_tokens)
    assert lines == []
