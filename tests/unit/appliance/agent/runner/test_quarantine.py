"""When a file is taken for dangerous, and the note that says so."""

import json
from pathlib import Path

import pytest

from appliance.agent.runner.quarantine import JOBS_BETWEEN, WINDOW_S, Crash, Quarantine, is_dangerous
from appliance.agent.types import ModelSpec
from iamine.ids import ModelId

SPEC = ModelSpec(model=ModelId("m"), path=Path("/models/m.gguf"), file_sha256="ab")


@pytest.mark.parametrize(
    ("crashes", "dangerous"),
    [
        ([(0, 0), (1, 0)], False),
        ([(0, 0), (1, 0), (2, 0)], True),
        ([(0, 0), (1, 0), (WINDOW_S + 1, 0)], False),
        ([(0, 0), (300, 5), (WINDOW_S, 20)], True),
        ([(0, 0), (1, 0), (2, JOBS_BETWEEN)], False),
        ([(0, 0), (5000, 0), (5001, 0), (5002, 0)], True),
    ],
)
def test_three_crashes_close_together_are_dangerous(crashes: list[tuple[float, int]], dangerous: bool) -> None:
    assert is_dangerous([Crash(at=at, jobs_done=done) for at, done in crashes]) == dangerous


def test_the_note_names_the_file_and_how_to_lift_it(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path / "deep" / "q")
    assert not quarantine.holds(SPEC)
    path = quarantine.add(SPEC, now=1000.0, last_words="boom")
    assert quarantine.holds(SPEC)
    note = json.loads(path.read_text())
    assert (note["file"], note["file_sha256"], note["last_words"]) == ("/models/m.gguf", "ab", "boom")
    assert note["to lift"] == "delete this file"
    path.unlink()
    assert not quarantine.holds(SPEC)
