"""The machine as /proc and /sys tell it: every absence is a value."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from appliance.agent import hardware
from iamine.wire.messages import Gpu

GIB = 1 << 30


def write(root: Path, **files: str) -> None:
    """Files by their path with __ for / and ___ for a dot."""
    for name, content in files.items():
        path = root / name.replace("___", ".").replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def test_this_machine_is_probed() -> None:
    found = hardware.probe()
    assert found.cpu
    assert found.cores_physical >= 1
    assert found.cores_usable > 0
    assert 0 < found.memory_available_bytes <= found.memory_bytes


def test_an_empty_root_gives_values_too(tmp_path: Path) -> None:
    found = hardware.probe(tmp_path)
    assert found.cpu
    assert found.gpus == ()
    assert found.memory_bytes > 0


def test_names_are_read(tmp_path: Path) -> None:
    write(tmp_path, proc__cpuinfo="processor : 0\nmodel name\t: A  Fine   CPU\n", etc__os_release="")
    (tmp_path / "etc/os-release").write_text('NAME=x\nPRETTY_NAME="Fine OS 1"\n')
    assert hardware.cpu_name(tmp_path) == "A Fine CPU"
    assert hardware.os_name(tmp_path).startswith("Fine OS 1 (")


def test_the_smallest_v2_quota_on_the_way_up_counts(tmp_path: Path) -> None:
    write(tmp_path, proc__self__cgroup="0::/a/b\n")
    write(tmp_path, sys__fs__cgroup__a__cpu___max="50000 100000\n", sys__fs__cgroup__a__b__cpu___max="max 100000\n")
    assert hardware.cores_usable(tmp_path) == 0.5


def test_a_v1_quota_counts(tmp_path: Path) -> None:
    write(tmp_path, proc__self__cgroup="3:cpu,cpuacct:/x\n1:name=systemd:/\n")
    folder = tmp_path / "sys/fs/cgroup/cpu,cpuacct/x"
    folder.mkdir(parents=True)
    (folder / "cpu.cfs_quota_us").write_text("25000\n")
    (folder / "cpu.cfs_period_us").write_text("100000\n")
    assert hardware.cores_usable(tmp_path) == 0.25
    (folder / "cpu.cfs_quota_us").write_text("-1\n")
    assert hardware.cores_usable(tmp_path) >= 1


def test_the_memory_limit_counts_and_page_cache_is_free(tmp_path: Path) -> None:
    write(tmp_path, proc__self__cgroup="0::/a\n")
    folder = tmp_path / "sys/fs/cgroup/a"
    folder.mkdir(parents=True)
    (folder / "memory.max").write_text(str(4 * GIB))
    (folder / "memory.current").write_text(str(3 * GIB))
    (folder / "memory.stat").write_text(f"anon 5\ninactive_file {GIB}\n")
    assert hardware.memory_limit(tmp_path) == (4 * GIB, 2 * GIB)
    (folder / "memory.max").write_text("max")
    assert hardware.memory_limit(tmp_path)[0] > 1 << 50


def test_a_v1_memory_limit_counts_and_its_huge_number_means_none(tmp_path: Path) -> None:
    write(tmp_path, proc__self__cgroup="4:memory:/x\n")
    folder = tmp_path / "sys/fs/cgroup/memory/x"
    folder.mkdir(parents=True)
    (folder / "memory.limit_in_bytes").write_text(str(GIB))
    (folder / "memory.usage_in_bytes").write_text(str(GIB // 4))
    assert hardware.memory_limit(tmp_path) == (GIB, GIB * 3 // 4)
    (folder / "memory.limit_in_bytes").write_text("9223372036854771712")
    assert hardware.memory_limit(tmp_path)[0] > 1 << 50


def test_amd_and_intel_memory_comes_from_sysfs(tmp_path: Path) -> None:
    amd, intel, none = (tmp_path / f"sys/class/drm/card{number}" for number in (0, 1, 2))
    for card in (amd, intel, none):
        (card / "device").mkdir(parents=True)
    for name, text in (("vendor", "0x1002"), ("device", "0x744c"), ("product_name", "Radeon"), ("mem_info_vram_total", "800"),
                       ("mem_info_vram_used", "300")):  # fmt: skip
        (amd / "device" / name).write_text(text + "\n")
    (intel / "device" / "vendor").write_text("0x8086\n")
    (intel / "lmem_total_bytes").write_text("1000\n")
    (intel / "lmem_avail_bytes").write_text("900\n")
    assert hardware.gpus(tmp_path) == (
        Gpu(name="AMD Radeon [1002:744c]", backend="vulkan", memory_bytes=800, memory_free_bytes=500),
        Gpu(name="Intel GPU [8086:]", backend="vulkan", memory_bytes=1000, memory_free_bytes=900),
    )


def test_a_gpu_without_a_driver_is_seen(tmp_path: Path) -> None:
    for name, vendor, driver in (("a", "0x10de", False), ("b", "0x1002", True), ("c", "0x1234", False)):
        device = tmp_path / "sys/bus/pci/devices" / name
        device.mkdir(parents=True)
        (device / "class").write_text("0x030000\n")
        (device / "vendor").write_text(vendor + "\n")
        (device / "device").write_text("0x2684\n")
        if driver:
            (device / "driver").mkdir()
    (gpu,) = hardware.driverless_gpus(tmp_path)
    assert (gpu.name, gpu.backend) == ("NVIDIA GPU [10de:2684] (no driver)", "none")


class FakeNvml:
    """Two devices; or an error of the driver at one of its calls."""

    class NVMLError(Exception):
        pass

    def __init__(self, fails_at: str = "") -> None:
        self._fails_at = fails_at
        self.open = False

    def nvmlInit(self) -> None:  # noqa: N802
        self._fail("init")
        self.open = True

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.open = False

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> SimpleNamespace:  # noqa: N802
        self._fail("memory")
        return SimpleNamespace(total=10 + handle, free=5)

    def nvmlDeviceGetName(self, handle: int) -> str | bytes:  # noqa: N802
        return b"Old" if handle else "New"

    def _fail(self, where: str) -> None:
        if where == self._fails_at:
            raise FakeNvml.NVMLError(where)


def test_nvml_tells_names_and_memory() -> None:
    nvml: Any = FakeNvml()
    assert hardware.nvidia_gpus(nvml) == (
        Gpu(name="New", backend="cuda", memory_bytes=10, memory_free_bytes=5),
        Gpu(name="Old", backend="cuda", memory_bytes=11, memory_free_bytes=5),
    )
    assert not nvml.open


def test_a_driver_that_fails_is_no_gpu() -> None:
    for where in ("init", "memory"):
        nvml: Any = FakeNvml(where)
        assert hardware.nvidia_gpus(nvml) == ()
        assert not nvml.open


def test_a_probe_that_crashes_or_talks_nonsense_is_no_gpu() -> None:
    answer = '[{"name":"G","backend":"cuda","memory_bytes":1}]'
    said = hardware.nvidia_in_child((sys.executable, "-c", f"print('''{answer}''')"))
    assert said == (Gpu(name="G", backend="cuda", memory_bytes=1),)
    for code in ("import os; os.abort()", "print('?')", "raise SystemExit(1)"):
        assert hardware.nvidia_in_child((sys.executable, "-c", code)) == ()
    assert hardware.nvidia_in_child(("/does/not/exist",)) == ()


def test_free_disk_is_that_of_the_nearest_folder(tmp_path: Path) -> None:
    free = hardware.disk_free_bytes(tmp_path / "not" / "yet")
    assert free is not None
    assert free > 0
