"""Recorded machines: a TOML file each, expanded into the /proc and /sys trees that its kernel would show."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import tomllib

from appliance.agent.machine import Battery, Cpu, Device, Hardware, Memory
from appliance.agent.probe import observe
from appliance.agent.probe.answers import Answers, Engine, EngineDevice, Names, Nvml, NvmlDevice
from appliance.agent.probe.portable import Portable

FOLDER = Path(__file__).parents[1] / "unit/appliance/agent/probe/machines"
NAMES = sorted(path.stem for path in FOLDER.glob("*.toml"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A recorded machine as the probe sees it, what is expected of it, and whom the probe asked."""

    hardware: Hardware
    expected: dict[str, Any]
    asked: tuple[str, ...]


def look_at(name: str, root: Path) -> Seen:
    """Expand the machine under `root` and probe it."""
    recorded = tomllib.loads((FOLDER / f"{name}.toml").read_text())
    expand(recorded, root)
    asked: list[str] = []

    def ask(parts: tuple[str, ...]) -> Answers:
        asked.extend(parts)
        return answers(recorded) if "nvml" in parts else msgspec.structs.replace(answers(recorded), nvml=Nvml())

    speed = recorded.get("copy_gb_per_s", 20.0) * 1e9
    hardware = observe(root, known(recorded), ask=ask, measure=lambda threads: speed)
    return Seen(hardware=hardware, expected=recorded["expect"], asked=tuple(asked))


def expand(recorded: dict[str, Any], root: Path) -> None:
    """Write the files and links of /proc and /sys."""
    files = dict(recorded.get("files", {}))
    if "meminfo" in recorded:
        files["proc/meminfo"] = "\n".join(f"{key}:       {value} kB" for key, value in recorded["meminfo"].items())
    siblings = _siblings(recorded)
    for listed in siblings:
        for thread in _threads(listed):
            files[f"sys/devices/system/cpu/cpu{thread}/topology/thread_siblings_list"] = listed
    if siblings:
        files["sys/devices/system/cpu/online"] = f"0-{sum(len(_threads(each)) for each in siblings) - 1}"
    for path, content in files.items():
        _write(root / path, content)
    for device in recorded.get("pci", []):
        _pci(root, device)


def answers(recorded: dict[str, Any]) -> Answers:
    """What its drivers and its llama.cpp say."""
    engine = recorded.get("engine", {})
    listed = recorded.get("nvml", [])
    problem = recorded.get("nvml_problem", "" if listed else "NVML Shared Library Not Found")
    return Answers(
        nvml=Nvml(devices=msgspec.convert(listed, tuple[NvmlDevice, ...]), problem=problem),
        engine=Engine(
            backends=tuple(engine.get("backends", ["CPU"])),
            devices=msgspec.convert(engine.get("devices", []), tuple[EngineDevice, ...]),
        ),
        names=Names(names=recorded.get("names", {})),
    )


def known(recorded: dict[str, Any]) -> Portable:
    """What Python and psutil would tell there."""
    told = recorded.get("portable", {})
    percent_plugged = told.get("battery")
    return Portable(
        system=told.get("system", "Linux"),
        release=told.get("release", "6.12.0"),
        architecture=recorded.get("architecture", "x86_64"),
        processor=told.get("processor", ""),
        threads=told.get("threads", 1),
        cores_physical=told.get("cores_physical", 1),
        memory_bytes=told.get("memory_bytes", 1),
        memory_available_bytes=told.get("memory_available_bytes", 1),
        battery=Battery(percent=percent_plugged[0], plugged=percent_plugged[1]) if percent_plugged else None,
    )


def _siblings(recorded: dict[str, Any]) -> list[str]:
    """Per physical core the list of its threads: as written, or `count` cores whose second thread comes `stride` later."""
    if "count" in recorded:
        stride = recorded.get("stride", 0)
        return [f"{core},{core + stride}" if stride else f"{core}" for core in range(recorded["count"])]
    return list(recorded.get("siblings", []))


def _threads(listed: str) -> list[int]:
    found: list[int] = []
    for part in listed.split(","):
        first, _, last = part.partition("-")
        found.extend(range(int(first), int(last or first) + 1))
    return found


def _pci(root: Path, device: dict[str, Any]) -> None:
    folder = root / "sys/bus/pci/devices" / device["address"]
    vendor, _, number = device["id"].partition(":")
    for name, content in (("class", device.get("class", "0x030000")), ("vendor", f"0x{vendor}"), ("device", f"0x{number}")):
        _write(folder / name, content)
    for name, content in device.get("files", {}).items():
        _write(folder / name, content)
    if "resource" in device:
        _write(folder / "resource", "\n".join(device["resource"]))
    if device["driver"]:
        driver = root / "sys/bus/pci/drivers" / device["driver"]
        driver.mkdir(parents=True, exist_ok=True)
        (folder / "driver").symlink_to(driver)


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content + "\n")


def made(available: int, *devices: Device, cores: float = 4.0) -> Hardware:
    """A machine of so much free memory and 20 GB/s."""
    cpu = Cpu(
        name="C", architecture="x86_64", cores_physical=4, cores_fast=4, cores_usable=cores, threads=4, copy_bytes_per_s=20e9
    )
    return Hardware(cpu=cpu, memory=Memory(total_bytes=available, available_bytes=available), devices=devices)


def card(name: str, total: int, free: int, *, gb_per_s: float = 0.0, shared: bool = False, **more: Any) -> Device:
    """A graphics device that can be used."""
    return Device(
        name=name, backend="cuda", memory_bytes=total, memory_free_bytes=free, bytes_per_s=gb_per_s * 1e9, shared=shared,
        usable=True, **more,
    )  # fmt: skip
