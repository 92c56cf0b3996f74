"""The machine as one value: nothing else of the agent reads /proc and /sys or asks a driver."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from appliance.agent.machine import EngineBuild, Hardware
from appliance.agent.probe import bandwidth, child, system
from appliance.agent.probe.answers import Answers
from appliance.agent.probe.cpu import cpu
from appliance.agent.probe.devices import devices
from appliance.agent.probe.memory import memory
from appliance.agent.probe.pci import NVIDIA, Found, displays
from appliance.agent.probe.portable import Portable, disk_free_bytes, portable
from appliance.agent.probe.sensors import Sensing
from appliance.agent.probe.sensors import here as sensors_here

__all__ = ["Sensing", "disk_free_bytes", "observe", "probe", "sensors_here"]

SOFTWARE_VARIABLE = "IAMINE_SOFTWARE_GPU"  # "1" in tests of the way to a GPU where there is none


def probe(*, limit_s: float = child.LIMIT_S) -> Hardware:
    """This machine as it is now; a driver that does not answer within `limit_s` is told as a problem."""
    return observe(
        Path("/"),
        portable(),
        ask=lambda parts: child.ask_all(parts, limit_s=limit_s),
        measure=bandwidth.copy_bytes_per_s,
        software=os.environ.get(SOFTWARE_VARIABLE) == "1",
    )


def observe(
    root: Path,
    known: Portable,
    *,
    ask: Callable[[tuple[str, ...]], Answers],
    measure: Callable[[int], float] = lambda threads: 0.0,
    software: bool = False,
) -> Hardware:
    """The machine whose /proc and /sys lie under `root`. `ask` asks drivers, `measure` copies memory with so many threads.

    `software` takes a software rasteriser for a GPU.
    """
    began = time.monotonic()
    found = displays(root)
    answers = ask(_parts(root, found))
    cores = cpu(root, known)
    problems = [f"{who} {said}" for who, said in _problems(answers) if said]
    return Hardware(
        cpu=cpu(root, known, copy_bytes_per_s=measure(int(min(cores.cores_fast, max(1.0, cores.cores_usable))))),
        memory=memory(root, known),
        devices=devices(found, answers, software=software),
        os=system.os_name(root, known),
        virtual=system.virtual(root),
        container=system.container(root),
        battery=system.battery(root, known),
        engine=EngineBuild(
            folder=answers.engine.folder,
            backends=answers.engine.backends,
            variant=answers.engine.variant,
            problem=answers.engine.problem,
        ),
        problems=tuple(problems),
        took_s=time.monotonic() - began,
    )


def _parts(root: Path, found: tuple[Found, ...]) -> tuple[str, ...]:
    """Whom to ask: llama.cpp, NVML where NVIDIA's driver is, and for names where there is something to name."""
    driver = any((root / "dev" / name).exists() for name in ("nvidiactl", "dxg"))
    nvidia = driver or any(each.vendor == NVIDIA and each.driver == "nvidia" for each in found)
    return (*(("nvml",) if nvidia else ()), "engine", *(("names",) if found else ()))


def _problems(answers: Answers) -> tuple[tuple[str, str], ...]:
    """Those that matter to whoever looks; names are a nicety."""
    return (("NVML:", answers.nvml.problem), ("llama.cpp:", answers.engine.problem))
