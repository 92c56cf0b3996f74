"""What this machine is and has free: CPU, memory and GPUs as one frozen value; every absence is a value, not an error."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import msgspec
import psutil  # type: ignore[import-untyped]
import pynvml  # type: ignore[import-untyped]

from iamine.wire.messages import Gpu, Hardware

GPU_PROBE_S = 15.0  # a broken driver may hang: it is asked in a child process, this long
_UNLIMITED_BYTES = 1 << 60  # cgroup v1 writes a number near 2^63 for "no limit"
_DISPLAY_CLASS = "0x03"
_VENDORS = {"0x10de": "NVIDIA", "0x1002": "AMD", "0x8086": "Intel"}


def probe(root: Path = Path("/")) -> Hardware:
    """The machine as it is now. `root` is where /proc, /sys and /etc are looked for."""
    memory = psutil.virtual_memory()
    limit, free = memory_limit(root)
    return Hardware(
        cpu=cpu_name(root),
        cores_physical=psutil.cpu_count(logical=False) or psutil.cpu_count() or 1,
        cores_usable=cores_usable(root),
        memory_bytes=min(memory.total, limit),
        memory_available_bytes=min(memory.available, free),
        gpus=gpus(root),
        os=os_name(root),
    )


def disk_free_bytes(path: Path) -> int | None:
    """Free bytes where `path` is, or will be; None when that cannot be told."""
    try:
        place = next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())
        return int(psutil.disk_usage(str(place)).free)
    except (OSError, StopIteration):
        return None


def cpu_name(root: Path) -> str:
    """The processor's name from /proc/cpuinfo, or what Python knows."""
    for line in (_read(root / "proc/cpuinfo") or "").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in {"model name", "Model", "Hardware"} and value.strip():
            return " ".join(value.split())
    return platform.processor() or platform.machine() or "unknown"


def os_name(root: Path) -> str:
    """The system's name for people, with kernel and architecture."""
    pretty = platform.system()
    for line in (_read(root / "etc/os-release") or "").splitlines():
        if line.startswith("PRETTY_NAME="):
            pretty = line.partition("=")[2].strip().strip('"')
    return f"{pretty} ({platform.system()} {platform.release()} {platform.machine()})"


# ---- what a container may use ----------------------------------------------------------------------------------------


def cores_usable(root: Path) -> float:
    """Cores' worth of time this process gets: its affinity, and the smallest cgroup quota above it."""
    cores = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else psutil.cpu_count() or 1)
    for folder in _cgroups(root, "cpu"):
        quota = _cpu_quota(folder)
        if quota:
            cores = min(cores, quota)
    return round(cores, 2)


def memory_limit(root: Path) -> tuple[int, int]:
    """The smallest cgroup memory limit above this process and the least that is free below one; huge numbers for none."""
    limit = free = _UNLIMITED_BYTES
    for folder in _cgroups(root, "memory"):
        most = _first_number(folder, "memory.max", "memory.limit_in_bytes")
        if most is None or most >= _UNLIMITED_BYTES:
            continue
        used = _first_number(folder, "memory.current", "memory.usage_in_bytes") or 0
        limit = min(limit, most)
        free = min(free, max(0, most - used + _reclaimable(folder)))
    return limit, free


def _cgroups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of this process's cgroup and all above it: of the v2 tree, and of the v1 tree of `controller`."""
    for line in (_read(root / "proc/self/cgroup") or "").splitlines():
        _, _, rest = line.partition(":")
        names, _, place = rest.partition(":")
        if names == "":
            tops = [root / "sys/fs/cgroup", root / "sys/fs/cgroup/unified"]
        elif controller in names.split(","):
            tops = [root / "sys/fs/cgroup" / names, root / "sys/fs/cgroup" / controller]
        else:
            continue
        for top in tops:
            folder = top / place.lstrip("/")
            yield from (each for each in (folder, *folder.parents) if each == top or top in each.parents)


def _cpu_quota(folder: Path) -> float | None:
    """Cores from cpu.max (v2) or cpu.cfs_quota_us (v1); None for no limit."""
    words = (_read(folder / "cpu.max") or "").split()
    if len(words) == 2 and words[0].isdigit() and words[1].isdigit() and int(words[1]):
        return int(words[0]) / int(words[1])
    quota, period = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
    return quota / period if quota and period and quota > 0 else None


def _reclaimable(folder: Path) -> int:
    """Page cache that the kernel gives back under pressure; it counts as used in a cgroup."""
    for line in (_read(folder / "memory.stat") or "").splitlines():
        name, _, value = line.partition(" ")
        if name in {"inactive_file", "total_inactive_file"} and value.strip().isdigit():
            return int(value)
    return 0


# ---- GPUs -------------------------------------------------------------------------------------------------------------


def gpus(root: Path) -> tuple[Gpu, ...]:
    """NVIDIA by its driver, AMD and Intel by sysfs, and those that no driver has taken (backend "none")."""
    nvidia = nvidia_in_child() if (root / "dev/nvidiactl").exists() or (root / "dev/dxg").exists() else ()
    return (*nvidia, *sysfs_gpus(root), *driverless_gpus(root))


def nvidia_in_child(command: tuple[str, ...] = (sys.executable, "-m", "appliance.agent.hardware")) -> tuple[Gpu, ...]:
    """What NVML says, asked in a short-lived process: a driver that crashes or hangs costs us nothing."""
    try:
        answer = subprocess.run(command, capture_output=True, timeout=GPU_PROBE_S, check=True, stdin=subprocess.DEVNULL)
        return msgspec.json.decode(answer.stdout, type=tuple[Gpu, ...])
    except (OSError, subprocess.SubprocessError, msgspec.DecodeError):
        return ()


def nvidia_gpus(nvml: ModuleType = pynvml) -> tuple[Gpu, ...]:
    """The NVIDIA devices; none where there is no driver."""
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return ()
    try:
        return tuple(_nvidia_gpu(nvml, index) for index in range(nvml.nvmlDeviceGetCount()))
    except nvml.NVMLError:
        return ()
    finally:
        nvml.nvmlShutdown()


def _nvidia_gpu(nvml: ModuleType, index: int) -> Gpu:
    device = nvml.nvmlDeviceGetHandleByIndex(index)
    memory = nvml.nvmlDeviceGetMemoryInfo(device)
    name = nvml.nvmlDeviceGetName(device)
    name = name.decode(errors="replace") if isinstance(name, bytes) else str(name)
    return Gpu(name=name, backend="cuda", memory_bytes=int(memory.total), memory_free_bytes=int(memory.free))


def sysfs_gpus(root: Path) -> tuple[Gpu, ...]:
    """AMD and Intel devices whose driver tells their memory."""
    found = []
    for card in sorted((root / "sys/class/drm").glob("card[0-9]*")):
        device = card / "device"
        total = _number(device / "mem_info_vram_total") or _number(card / "lmem_total_bytes")
        if not total:
            continue
        used = _number(device / "mem_info_vram_used")
        free = total - used if used is not None else _number(card / "lmem_avail_bytes") or total
        found.append(Gpu(name=_pci_name(device), backend="vulkan", memory_bytes=total, memory_free_bytes=max(0, free)))
    return tuple(found)


def driverless_gpus(root: Path) -> tuple[Gpu, ...]:
    """Display devices of the known makers on the PCI bus without a driver: the case that puzzles people most."""
    found = []
    for device in sorted((root / "sys/bus/pci/devices").glob("*")):
        is_display = (_read(device / "class") or "").startswith(_DISPLAY_CLASS)
        if is_display and (_read(device / "vendor") or "").strip() in _VENDORS and not (device / "driver").exists():
            found.append(Gpu(name=f"{_pci_name(device)} (no driver)", backend="none", memory_bytes=0))
    return tuple(found)


def _pci_name(device: Path) -> str:
    product = (_read(device / "product_name") or "").strip()
    vendor, number = ((_read(device / name) or "").strip() for name in ("vendor", "device"))
    maker = _VENDORS.get(vendor, vendor or "unknown")
    return f"{maker} {product or 'GPU'} [{vendor.removeprefix('0x')}:{number.removeprefix('0x')}]"


# ---- files that may not be there ---------------------------------------------------------------------------------------


def _read(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return None


def _number(path: Path) -> int | None:
    try:
        return int((_read(path) or "").strip())
    except ValueError:
        return None


def _first_number(folder: Path, *names: str) -> int | None:
    return next((number for name in names if (number := _number(folder / name)) is not None), None)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(msgspec.to_builtins(nvidia_gpus())))
