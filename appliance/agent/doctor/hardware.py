"""Memory, graphics devices and what they need from the system to compute."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from appliance.agent.doctor.check import Check, ok, warn
from appliance.agent.fit import choose, gigabytes
from appliance.agent.machine import Device, Hardware
from appliance.agent.models import Catalog

LOADER_S = 15.0
LEAST_NVIDIA = 525  # the first driver of CUDA 12 (CUDA 12 release notes, table 3)
LEAST_NVIDIA_BLACKWELL = 570  # the first one that knows compute capability 10 and 12
BLACKWELL = (10, 0)
BY_VULKAN = {"amdgpu": "radeon", "radeon": "radeon", "i915": "intel", "xe": "intel", "nouveau": "nouveau", "nvidia": "nvidia"}
MESA = "install Mesa's Vulkan drivers: apt-get install mesa-vulkan-drivers"
NVIDIA_LIBRARIES = "install NVIDIA's own libraries, of the driver's version (nvidia-vulkan-icd)"
ICD_FOLDERS = ("etc/vulkan/icd.d", "usr/share/vulkan/icd.d", "usr/local/share/vulkan/icd.d", "usr/local/etc/vulkan/icd.d")
LOADER_COMMAND = (sys.executable, "-c", "import ctypes; ctypes.CDLL('libvulkan.so.1')")


def memory(hardware: Hardware, catalog: Catalog, *, use_gpu: bool | None) -> Check:
    """Whether a model at hand fits."""
    choice = choose(hardware, [file.model for file in catalog.files if file.model.kind != "embedding"], use_gpu=use_gpu)
    if choice.fit is None:
        return Check(name="memory", state="fail", found=choice.reason, advice="close other programs, or add a smaller model")
    return Check(name="memory", state="ok", found=f"{choice.fit.model.id} {choice.fit.reason}")


def gpus(hardware: Hardware, *, use_gpu: bool | None) -> Iterator[Check]:
    """Graphics devices that work, and those that idle, with the reason."""
    for device in hardware.devices:
        if not device.usable:
            found, _, advice = device.reason.partition("; ")
            yield Check(name="gpu", state="warn" if advice else "ok", found=f"{device.name}: {found}", advice=advice)
        elif use_gpu is False:
            advice = "take gpu = false out of worker.toml to use it"
            yield Check(name="gpu", state="warn", found=f"{device.name} is not used", advice=advice)
        else:
            yield Check(name="gpu", state="ok", found=f"{device.name}, {gigabytes(device.memory_free_bytes)} free")
    if not hardware.devices:
        yield ok("gpu", "none: models run on the processor")
    for problem in hardware.problems:
        yield Check(name="probe", state="warn", found=problem, advice="`iamine probe` shows what was found without it")


def drivers(
    machine: Hardware, environ: Mapping[str, str], *, root: Path = Path("/"), loader: tuple[str, ...] = LOADER_COMMAND
) -> Iterator[Check]:
    """What a device with a kernel driver lacks: a newer one, Vulkan's loader, Vulkan's driver for it, the right to use it."""
    for device in machine.devices:
        if device.driver == "nvidia" and (problem := old_nvidia(device)):
            yield warn("driver", f"{device.name}: {problem}", "install NVIDIA's driver of branch 580 or newer, then reboot")
    by_vulkan = [device for device in machine.devices if device.driver in BY_VULKAN and not device.usable]
    if not by_vulkan or "Vulkan" not in machine.engine.backends:
        return
    if problem := loader_problem(loader):
        yield warn("vulkan", problem, "install Vulkan's loader: apt-get install libvulkan1")
    for device in by_vulkan:
        maker = BY_VULKAN[device.driver]
        if not any(maker in name or (maker == "nouveau" and "nouveau" in name) for name in icds(root, environ)):
            advice = (
                "install NVIDIA's own libraries, of the driver's version (nvidia-vulkan-icd)" if maker == "nvidia" else MESA
            )
            yield warn("vulkan", f"{device.name}: Vulkan has no driver for it", advice)
    yield from nodes(root, machine.container)


def old_nvidia(device: Device) -> str:
    """What speaks against the version of its driver; "" for nothing, or when it is not told."""
    major = device.driver_version.partition(".")[0]
    least = LEAST_NVIDIA_BLACKWELL if (device.capability or (0, 0)) >= BLACKWELL else LEAST_NVIDIA
    if not major.isdigit() or int(major) >= least:
        return ""
    return f"driver {device.driver_version} is too old for it (needs {least})"


def loader_problem(command: tuple[str, ...]) -> str:
    """Why Vulkan's loader cannot be loaded, tried in a child: what crashes there does not crash here."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=LOADER_S, stdin=subprocess.DEVNULL, text=True, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"Vulkan's loader cannot be tried: {error}"
    last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    return f"Vulkan's loader does not load: {last}" if done.returncode else ""


def icds(root: Path, environ: Mapping[str, str]) -> list[str]:
    """File names of Vulkan's drivers here (Vulkan loader, LoaderDriverInterface.md: driver discovery)."""
    if named := environ.get("VK_DRIVER_FILES") or environ.get("VK_ICD_FILENAMES"):
        return [Path(each).name for each in named.split(os.pathsep)]
    return [path.name for folder in ICD_FOLDERS for path in sorted((root / folder).glob("*.json"))]


def nodes(root: Path, container: str) -> Iterator[Check]:
    """Whether this user may compute on the devices: by the nodes /dev/dri/renderD*."""
    found = sorted((root / "dev/dri").glob("renderD*"))
    if not found:
        advice = "give them to the container: --device /dev/dri" if container else "load the device's driver, then reboot"
        yield warn("device nodes", f"there is none below {root / 'dev/dri'}", advice)
    for node in found:
        if not os.access(node, os.R_OK | os.W_OK):
            advice = "add this user to the group render: usermod -aG render NAME, then log in anew"
            yield warn("device nodes", f"this user may not use {node}", advice)
