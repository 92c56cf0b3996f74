"""Recorded machines are seen as what they are, with a reason for every device that is not used."""

from pathlib import Path

import pytest
from fakes.machines import NAMES, known, look_at

from appliance.agent import probe
from appliance.agent.probe.answers import Answers, Engine, Names, Nvml

KINDS = {
    "laptop-4gb", "pascal", "rtx-3060", "rtx-5090", "rtx-5090-broken-driver", "rx-7900xtx", "apu", "arc-hybrid", "two-gpus",
    "vm", "container", "container-v1", "raspberry-pi-5", "arm-hybrid", "numa-server", "mac",
}  # fmt: skip


def test_every_kind_of_machine_is_recorded() -> None:
    assert set(NAMES) == KINDS


@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_machine_is_seen_as_it_is(name: str, tmp_path: Path) -> None:
    seen = look_at(name, tmp_path)
    found, expected = seen.hardware, seen.expected
    cpu = found.cpu
    assert (cpu.name, [cpu.cores_physical, cpu.cores_fast, cpu.cores_usable]) == (expected["cpu"], expected["cores"])
    memory = [round(found.memory.total_bytes / 1e9, 2), round(found.memory.available_bytes / 1e9, 2)]
    assert (memory, found.memory.limit) == (expected["memory_gb"], expected.get("limit", ""))
    assert (found.virtual, found.container) == (expected.get("virtual", ""), expected.get("container", ""))
    assert list(found.problems) == expected.get("problems", [])
    assert cpu.numa_nodes == expected.get("numa", 1)
    assert ([found.battery.percent, found.battery.plugged] if found.battery else None) == expected.get("battery")


@pytest.mark.parametrize("name", NAMES)
def test_its_devices_are_listed_each_used_or_with_a_reason(name: str, tmp_path: Path) -> None:
    seen = look_at(name, tmp_path)
    assert len(seen.hardware.devices) == len(seen.expected["devices"])
    for device, expected in zip(seen.hardware.devices, seen.expected["devices"], strict=True):
        assert expected["name"] in device.name
        assert (device.usable, device.shared) == (expected["usable"], expected.get("shared", False))
        assert bool(device.reason) != device.usable
        assert expected.get("reason", "") in device.reason
        assert device.backend == expected.get("backend", "none")
        if "memory_gb" in expected:
            assert round(device.memory_bytes / 1e9, 2) == expected["memory_gb"]
        if "free_gb" in expected:
            assert round(device.memory_free_bytes / 1e9, 2) == expected["free_gb"]
        assert device.bytes_per_s / 1e9 == pytest.approx(expected.get("gb_per_s", 0.0), abs=1.0)


@pytest.mark.parametrize("name", NAMES)
def test_the_pool_is_told_what_is_used_and_what_not(name: str, tmp_path: Path) -> None:
    found = look_at(name, tmp_path).hardware
    told = found.told()
    assert (told.cores_physical, told.memory_available_bytes) == (found.cpu.cores_physical, found.memory.available_bytes)
    assert [gpu.backend == "none" for gpu in told.gpus] == [not device.usable for device in found.devices]


def test_nvml_is_asked_only_where_there_is_something_of_nvidia(tmp_path: Path) -> None:
    assert "nvml" not in look_at("laptop-4gb", tmp_path / "a").asked
    assert "nvml" in look_at("pascal", tmp_path / "b").asked
    (tmp_path / "c/dev").mkdir(parents=True)
    (tmp_path / "c/dev/dxg").touch()
    assert "nvml" in look_at("laptop-4gb", tmp_path / "c").asked


def test_an_empty_root_gives_values_too(tmp_path: Path) -> None:
    silent = Answers(nvml=Nvml(problem="x"), engine=Engine(problem="crashed with signal 11"), names=Names(problem="x"))
    found = probe.observe(tmp_path, known({}), ask=lambda parts: silent)
    assert (found.cpu.name, found.cpu.cores_physical, found.memory.total_bytes) == ("x86_64", 1, 1)
    assert (found.devices, found.battery, found.virtual, found.container) == ((), None, "", "")
    assert "llama.cpp: crashed with signal 11" in found.problems


def test_this_machine_is_probed_with_its_llama_cpp() -> None:
    found = probe.probe()
    assert found.cpu.name
    assert found.cpu.cores_physical >= found.cpu.cores_fast >= 1
    assert found.cpu.copy_bytes_per_s > 1e8
    assert 0 < found.memory.available_bytes <= found.memory.total_bytes
    assert "CPU" in found.engine.backends
    assert all(device.usable or device.reason for device in found.devices)
    assert found.took_s > 0


def test_free_disk_is_that_of_the_nearest_folder(tmp_path: Path) -> None:
    free = probe.disk_free_bytes(tmp_path / "not" / "yet")
    assert free is not None
    assert free > 0
