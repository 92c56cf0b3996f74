"""Memory, graphics devices and their drivers: what is wrong and what to do."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.machines import card, made

from appliance.agent.doctor import hardware
from appliance.agent.machine import Device, EngineBuild, Hardware
from appliance.agent.models import Catalog
from appliance.agent.types import ModelFile
from iamine.manifest import load

CATALOG = Catalog(files=(ModelFile(model=load().model[0], path=Path("/m"), known=True),), problems=())
LOADS, LOADS_NOT = (sys.executable, "-c", ""), (sys.executable, "-c", "raise OSError('libvulkan.so.1: cannot open')")


def with_vulkan(*devices: Device, container: str = "") -> Hardware:
    return replace(made(1, *devices), engine=EngineBuild(backends=("CPU", "Vulkan")), container=container)


def with_nodes(root: Path, *icds: str) -> Path:
    (root / "usr/share/vulkan/icd.d").mkdir(parents=True)
    for name in icds:
        (root / "usr/share/vulkan/icd.d" / name).touch()
    (root / "dev/dri").mkdir(parents=True)
    (root / "dev/dri/renderD128").touch(mode=0o600)
    return root


def test_memory() -> None:
    assert hardware.memory(made(10**9), CATALOG, use_gpu=False).state == "ok"
    assert hardware.memory(made(10**6), CATALOG, use_gpu=False).state == "fail"


def test_gpus_that_are_idle_are_told_with_what_to_do() -> None:
    works = card("A", 8, 8)
    bare = Device(name="B", reason="no driver has taken it; install it")
    display = Device(name="C", reason="a server's management display, not a GPU")
    checks = list(hardware.gpus(made(1, works, bare, display), use_gpu=None))
    assert [(check.state, check.advice) for check in checks] == [("ok", ""), ("warn", "install it"), ("ok", "")]
    (check,) = hardware.gpus(made(1, works), use_gpu=False)
    assert "gpu = false" in check.advice
    (check,) = hardware.gpus(made(1), use_gpu=None)
    assert check.state == "ok"


def test_a_driver_that_did_not_answer_is_told() -> None:
    *_, check = hardware.gpus(replace(made(1), problems=("NVML: did not answer in time",)), use_gpu=None)
    assert (check.state, check.found) == ("warn", "NVML: did not answer in time")


@pytest.mark.parametrize(
    ("version", "capability", "is_old"),
    [("470.199.02", (7, 5), True), ("550.163.01", (8, 9), False), ("550.163.01", (12, 0), True), ("580.65", (12, 0), False)],
)
def test_a_driver_that_is_too_old_for_its_card_is_named(version: str, capability: tuple[int, int], is_old: bool) -> None:
    device = replace(card("RTX", 8, 8), driver="nvidia", driver_version=version, capability=capability)
    checks = list(hardware.drivers(made(1, device), {}))
    assert bool(checks) is is_old
    assert all(version in check.found and "580" in check.advice for check in checks)
    assert hardware.old_nvidia(replace(device, driver_version="")) == ""


def test_a_device_without_a_driver_of_vulkan_is_named(tmp_path: Path) -> None:
    amd, root = Device(name="RX", driver="amdgpu"), with_nodes(tmp_path, "intel_icd.x86_64.json")
    (check,) = hardware.drivers(with_vulkan(amd), {}, root=root, loader=LOADS)
    assert ("RX" in check.found, "mesa-vulkan-drivers" in check.advice) == (True, True)
    assert not list(hardware.drivers(with_vulkan(amd), {"VK_DRIVER_FILES": "/x/radeon_icd.json"}, root=root, loader=LOADS))
    (check,) = hardware.drivers(with_vulkan(replace(amd, driver="nvidia")), {}, root=root, loader=LOADS)
    assert "nvidia-vulkan-icd" in check.advice


def test_a_missing_loader_is_named(tmp_path: Path) -> None:
    root = with_nodes(tmp_path, "radeon_icd.x86_64.json")
    (check,) = hardware.drivers(with_vulkan(Device(name="RX", driver="amdgpu")), {}, root=root, loader=LOADS_NOT)
    assert ("cannot open" in check.found, "libvulkan1" in check.advice) == (True, True)
    assert "cannot be tried" in hardware.loader_problem(("/does/not/exist",))


def test_missing_nodes_are_named_and_a_container_is_told_of_its_own_way(tmp_path: Path) -> None:
    (check,) = hardware.nodes(tmp_path, "docker")
    assert "--device /dev/dri" in check.advice
    (check,) = hardware.nodes(tmp_path, "")
    assert "driver" in check.advice


def test_what_works_and_what_is_built_without_vulkan_is_left_alone(tmp_path: Path) -> None:
    assert not list(hardware.drivers(with_vulkan(replace(card("RX", 8, 8), driver="amdgpu")), {}, root=tmp_path))
    assert not list(hardware.drivers(made(1, Device(name="RX", driver="amdgpu")), {}, root=tmp_path))
