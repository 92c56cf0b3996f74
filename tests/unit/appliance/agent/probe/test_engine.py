"""llama.cpp's own list, and a library that is none."""

from pathlib import Path

import pytest

from appliance.agent.probe.engine import ask, library_folder


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


def test_the_folder_can_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LLAMA_CPP_LIB_PATH", str(tmp_path))
    assert library_folder() == tmp_path
