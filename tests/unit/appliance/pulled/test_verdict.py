"""What is told once the stick is gone, and when nothing is."""

import pytest

from appliance.pulled.verdict import after

START = {"disk": "/dev/sdb", "in_memory": True, "kept": True, "problems": [], "pool": "http://p"}


def test_the_stick_is_gone() -> None:
    told = after(START, {"sda", "loop0"})
    assert told is not None and told["kept"] is False and told["pool"] == "http://p"
    assert [problem["code"] for problem in told["problems"]] == ["E-STICK"]  # type: ignore[attr-defined]
    assert after(told, {"sda"}) is None, "told once"


@pytest.mark.parametrize(
    "start", [{}, {**START, "disk": ""}, {**START, "in_memory": False}, {**START, "disk": "/dev/sda"}, {"problems": 3}]
)
def test_another_disk_went_or_the_system_was_on_the_stick(start: dict[str, object]) -> None:
    assert after(start, {"sda", "loop0"}) is None
