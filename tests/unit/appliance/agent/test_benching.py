"""What was measured, beside what was expected."""

from pathlib import Path

import pytest
from fakes.machines import made

from appliance.agent import fit
from appliance.agent.benching import measure, row, specs, verdict
from appliance.agent.config import Options, settings
from appliance.agent.models import bundled_folder, scan
from appliance.agent.types import ModelFile
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


async def test_a_file_that_does_not_load_is_told(tmp_path: Path) -> None:
    chosen, machine = settings(Options(), {}, tmp_path), made(4 * 10**9)
    mote = load().model[0]
    bad = tmp_path / "bad.gguf"
    bad.write_bytes((bundled_folder() / mote.file[0].path).read_bytes()[:200_000])
    file = ModelFile(model=mote, path=bad, known=True)
    (spec,) = specs(chosen, machine, [file], "")
    found = await measure(spec, file, fit.budget(machine), tmp_path / "quarantine")
    assert found.verdict.startswith("does not load")
    assert row(found)[0] == "mote"
