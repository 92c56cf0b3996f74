"""llama.cpp's own list, and a library that is none."""

from pathlib import Path

from appliance.agent.backends import library_folder
from appliance.agent.probe.engine import ask


def test_the_installed_library_lists_its_processor() -> None:
    answer = ask(library_folder())
    assert answer.problem == ""
    assert "CPU" in answer.backends
    (cpu,) = (device for device in answer.devices if device.kind == "CPU")
    assert cpu.memory_bytes > 0


def test_a_folder_without_a_library_is_a_problem(tmp_path: Path) -> None:
    assert "libllama" in ask(tmp_path).problem
    (tmp_path / "libllama.so").write_bytes(b"not a library")
    assert ask(tmp_path).problem
    assert "not installed" in ask(None).problem
