"""What this machine says of itself, as files: /proc and /sys of what the probe reads, and NVIDIA's own tool."""

import io
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

MOST_BYTES = 64 * 1024
READ = (
    "/proc/cpuinfo", "/proc/meminfo", "/proc/version", "/proc/cgroup", "/proc/self/cgroup", "/proc/1/cgroup", "/etc/os-release",
    "/proc/driver/nvidia/version", "/sys/hypervisor/type", "/sys/class/dmi/id/sys_vendor", "/sys/class/dmi/id/product_name",
)  # fmt: skip
GLOBS = (
    "proc/driver/nvidia/gpus/*/information", "sys/bus/pci/devices/*/class", "sys/bus/pci/devices/*/vendor",
    "sys/bus/pci/devices/*/device", "sys/bus/pci/devices/*/resource", "sys/bus/pci/devices/*/current_link_speed",
    "sys/bus/pci/devices/*/current_link_width", "sys/bus/pci/devices/*/numa_node", "sys/bus/pci/devices/*/uevent",
    "sys/devices/system/cpu/online", "sys/devices/system/cpu/cpu*/topology/*_list",
    "sys/devices/system/cpu/cpu*/cpufreq/*_freq", "sys/devices/system/node/node*/cpulist",
    "sys/class/drm/card*/device/vendor", "sys/fs/cgroup/*.max",
)  # fmt: skip
COMMANDS = (
    ["nvidia-smi"], ["nvidia-smi", "-q"], ["lscpu"], ["ls", "-l", "/dev"], ["ls", "-lR", "/usr/share/vulkan", "/etc/vulkan"],
    ["ls", "-l", "/usr/local/nvidia/share/vulkan/icd.d"], ["ldconfig", "-p"], ["nvcc", "--version"], ["cmake", "--version"],
    ["gcc", "--version"], ["df", "-h"], ["free", "-m"], ["mount"], ["python3", "--version"], ["uname", "-a"], ["id"],
)  # fmt: skip


def found() -> Iterator[tuple[str, bytes]]:
    """Names in the archive and contents; what cannot be read is left out."""
    paths = [Path(name) for name in READ] + [path for pattern in GLOBS for path in sorted(Path("/").glob(pattern))]
    for path in paths:
        try:
            yield str(path).lstrip("/"), path.read_bytes()[:MOST_BYTES]
        except OSError:
            continue
    for path in sorted(Path("/sys/bus/pci/devices").glob("*/driver")):
        yield f"{str(path).lstrip('/')}.link", str(path.resolve()).encode()


def said() -> Iterator[tuple[str, bytes]]:
    """What the tools say."""
    for command in COMMANDS:
        try:
            told = subprocess.run(command, capture_output=True, timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            continue
        yield f"commands/{'_'.join(command).replace('/', '+')}", told.stdout + told.stderr


def collect(out: Path) -> None:
    """Writes facts.tar.gz."""
    with tarfile.open(out / "facts.tar.gz", "w:gz") as archive:
        for name, data in (*found(), *said()):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
