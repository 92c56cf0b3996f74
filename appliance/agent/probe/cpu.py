"""The processors: name, cores worth a thread, instruction sets, and how much of them this process may use."""

from pathlib import Path

from appliance.agent.machine import Cpu
from appliance.agent.probe.cgroup import cpu_quota
from appliance.agent.probe.files import fields, number, numbers, read
from appliance.agent.probe.portable import Portable

# What llama.cpp's CPU variants are told apart by (ggml/src/CMakeLists.txt at 0c1e57098), as /proc/cpuinfo names them
FEATURES = (
    "ssse3", "sse4_2", "popcnt", "avx", "f16c", "fma", "bmi2", "avx2", "avx_vnni", "avx512f", "avx512bw", "avx512vl",
    "avx512_vnni", "avx512_bf16", "amx_tile", "amx_int8", "asimddp", "asimdhp", "i8mm", "sve", "sve2", "sme",
)  # fmt: skip


def cpu(root: Path, known: Portable, *, copy_bytes_per_s: float = 0.0) -> Cpu:
    """The processors as /proc and /sys under `root` tell them; what they do not tell comes from `known`."""
    allowed = _allowed(root)
    threads = len(allowed) or known.threads
    cores = _cores(root, allowed)
    quota = cpu_quota(root)
    return Cpu(
        name=cpu_name(root) or known.processor or known.architecture or "unknown",
        architecture=known.architecture,
        cores_physical=len(cores) or min(known.cores_physical, threads),
        cores_fast=_fast(root, cores) or len(cores) or min(known.cores_physical, threads),
        cores_usable=round(min(float(threads), quota) if quota else float(threads), 2),
        threads=threads,
        features=_features(root),
        numa_nodes=max(1, len(numbers(read(root / "sys/devices/system/node/online")))),
        copy_bytes_per_s=copy_bytes_per_s,
    )


def cpu_name(root: Path) -> str:
    """The processor's name from /proc/cpuinfo or the device tree; "" where neither has it."""
    found = fields(root / "proc/cpuinfo")
    for key in ("model name", "Model", "Hardware"):
        if found.get(key):
            return " ".join(found[key].split())
    return (read(root / "proc/device-tree/model") or "").strip("\0")


def _allowed(root: Path) -> frozenset[int]:
    """The processors that are on and that this process may run on."""
    online = numbers(read(root / "sys/devices/system/cpu/online"))
    affinity = numbers(fields(root / "proc/self/status").get("Cpus_allowed_list"))
    return online & affinity if online and affinity else online or affinity


def _cores(root: Path, allowed: frozenset[int]) -> dict[frozenset[int], int]:
    """Physical cores: the set of its threads -> the lowest of them that is allowed."""
    cores: dict[frozenset[int], int] = {}
    for thread in sorted(allowed):
        topology = root / f"sys/devices/system/cpu/cpu{thread}/topology"
        siblings = numbers(read(topology / "core_cpus_list") or read(topology / "thread_siblings_list"))
        if siblings:
            cores.setdefault(siblings, thread)
    return cores


def _fast(root: Path, cores: dict[frozenset[int], int]) -> int:
    """Of them the fast ones: Intel's hybrid chips name them, ARM's kernels tell each core's capacity. 0: all are alike."""
    performance = numbers(read(root / "sys/devices/cpu_core/cpus"))
    if performance:
        return sum(1 for thread in cores.values() if thread in performance)
    capacity = [number(root / f"sys/devices/system/cpu/cpu{thread}/cpu_capacity") or 0 for thread in cores.values()]
    fastest = max(capacity, default=0)
    return sum(1 for each in capacity if each * 2 > fastest) if fastest else 0


def _features(root: Path) -> tuple[str, ...]:
    found = fields(root / "proc/cpuinfo")
    words = set((found.get("flags") or found.get("Features") or "").split())
    return tuple(name for name in FEATURES if name in words)
