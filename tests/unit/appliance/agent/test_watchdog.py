"""The ladder on one machine: what it remembers over a restart, and what the machine looks like then."""

from pathlib import Path

import pytest
from fakes.machines import card, made

from appliance.agent.fit import budget
from appliance.agent.ladder import CALM_S, Measure, Rung
from appliance.agent.machine import Hardware
from appliance.agent.types import ModelSpec
from appliance.agent.watchdog import FILE_NAME, Watchdog
from iamine.ids import ModelId

A, B, GB = "0000:01:00.0", "0000:02:00.0", 10**9
CPU_SPEC = ModelSpec(model=ModelId("m"), path=Path("m.gguf"), file_sha256="m")
GPU_SPEC = ModelSpec(model=ModelId("m"), path=Path("m.gguf"), file_sha256="m", gpu_layers=999)


class Time:
    now = 1_800_000_000.0


def watchdog(folder: Path, lines: list[str] | None = None, **permissions: bool) -> Watchdog:
    say = (lines if lines is not None else []).append
    return Watchdog(path=folder / FILE_NAME, say=say, now=lambda: Time.now, **permissions)


@pytest.fixture
def two_cards() -> Hardware:
    a, b = card("NVIDIA A", 24 * GB, 24 * GB, address=A), card("NVIDIA B", 8 * GB, 8 * GB, address=B)
    return made(16 * GB, a, b)


def test_the_card_that_the_last_words_name_is_left_out_and_stays_so_after_a_restart(
    tmp_path: Path, two_cards: Hardware
) -> None:
    lines: list[str] = []
    mine = watchdog(tmp_path, lines, supervised=True)
    assert mine.died(GPU_SPEC, "CUDA error on NVIDIA A", two_cards, too_often=False) is Measure.RESTART_ENGINE
    assert mine.allowed(two_cards) == two_cards
    assert mine.died(GPU_SPEC, "CUDA error on NVIDIA A", two_cards, too_often=True) is Measure.LEAVE_GPU_OUT
    assert lines == [f"watchdog: leave a graphics device out ({A})"]
    left = watchdog(tmp_path).allowed(two_cards)
    assert [device.name for device in left.usable_devices] == ["NVIDIA B"]
    assert FILE_NAME in left.devices[0].reason and left.devices[0].left_out
    assert mine.died(GPU_SPEC, "", left, too_often=True) is Measure.RESTART_AGENT


def test_in_safe_mode_only_the_processor_is_used(tmp_path: Path, two_cards: Hardware) -> None:
    mine = watchdog(tmp_path)
    mine.died(GPU_SPEC, "", two_cards, too_often=True)
    assert mine.died(GPU_SPEC, "", mine.allowed(two_cards), too_often=True) is Measure.SAFE_MODE
    again = watchdog(tmp_path)
    assert again.record.rung is Rung.SAFE
    assert not budget(again.allowed(two_cards)).gpu


def test_on_the_processor_the_file_is_to_blame(tmp_path: Path, two_cards: Hardware) -> None:
    assert watchdog(tmp_path).died(CPU_SPEC, "", two_cards, too_often=True) is Measure.QUARANTINE_FILE


def test_a_calm_day_later_everything_is_tried_anew(tmp_path: Path, two_cards: Hardware) -> None:
    mine = watchdog(tmp_path)
    mine.died(GPU_SPEC, "", two_cards, too_often=True)
    assert not mine.calm()
    Time.now += CALM_S
    assert mine.calm() and not mine.calm()
    assert watchdog(tmp_path).allowed(two_cards) == two_cards


@pytest.mark.parametrize("text", ["", "{", '{"rung": "none"}', "[]", '{"out": 3}'])
def test_a_record_that_is_none_is_begun_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    assert watchdog(tmp_path).record.rung is Rung.ENGINE


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, two_cards: Hardware) -> None:
    lines: list[str] = []
    mine = watchdog(tmp_path / "none", lines)
    assert mine.died(GPU_SPEC, "", two_cards, too_often=True) is Measure.LEAVE_GPU_OUT
    assert "forgotten" in lines[0]
