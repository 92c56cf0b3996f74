"""`iamine doctor`: each thing that must be right, whether it is, and what to do when it is not."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from appliance.agent.fit import choose, gigabytes
from appliance.agent.machine import Hardware
from appliance.agent.models import Catalog
from iamine.errors import IamineError

State = Literal["ok", "warn", "fail"]
OLDEST_PYTHON = (3, 10)
ENGINE_S = 60.0
CLOCK_S = 60.0  # signatures do not depend on the clock, but templates print dates and logs are compared
DISK_BYTES = 1 << 30
ENGINE_COMMAND = (sys.executable, "-c", "import llama_cpp; print(llama_cpp.__version__)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing looked at."""

    name: str
    state: State
    found: str
    advice: str = ""


def python(version: tuple[int, int]) -> Check:
    """Whether this Python is new enough."""
    found = f"Python {version[0]}.{version[1]}"
    if version >= OLDEST_PYTHON:
        return Check(name="python", state="ok", found=found)
    return Check(name="python", state="fail", found=found, advice="install Python 3.10 or newer and make the venv anew")


def engine(command: tuple[str, ...] = ENGINE_COMMAND) -> Check:
    """Whether llama.cpp loads, tried in a child process: what crashes there does not crash here."""
    advice = "install it again: pip install --force-reinstall --no-binary :all: llama-cpp-python"
    try:
        done = subprocess.run(command, capture_output=True, timeout=ENGINE_S, stdin=subprocess.DEVNULL, text=True, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check(name="llama.cpp", state="fail", found=f"did not start: {error}", advice=advice)
    if done.returncode == 0:
        return Check(name="llama.cpp", state="ok", found=f"llama-cpp-python {done.stdout.strip()}")
    if done.returncode < 0:
        return Check(name="llama.cpp", state="fail", found=f"crashed with signal {-done.returncode}", advice=advice)
    last = (done.stderr.strip().splitlines() or ["no message"])[-1]
    return Check(name="llama.cpp", state="fail", found=last, advice=advice)


def model_files(catalog: Catalog) -> Iterator[Check]:
    """The models at hand, and each file that is in no order."""
    names = ", ".join(file.model.id for file in catalog.files)
    if names:
        yield Check(name="models", state="ok", found=f"{names} (SHA-256 checked)")
    else:
        yield Check(name="models", state="fail", found="no model file is at hand", advice="install IAMINE again")
    for problem in catalog.problems:
        found, _, advice = problem.partition("; ")
        yield Check(name="models", state="warn", found=found, advice=advice)


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
    for problem in hardware.problems:
        yield Check(name="probe", state="warn", found=problem, advice="`iamine probe` shows what was found without it")


def folder(data_dir: Path, free_bytes: int | None) -> Check:
    """Whether the data folder is ours alone and has room."""
    advice = f"make it yours alone: mkdir -p {data_dir}; chmod 700 {data_dir}; or name another with --data-dir"
    if not data_dir.exists():
        return Check(name="data folder", state="ok", found=f"{data_dir} (made at the first start)")
    if not data_dir.is_dir() or not os.access(data_dir, os.R_OK | os.W_OK | os.X_OK):
        return Check(name="data folder", state="fail", found=f"{data_dir} cannot be written", advice=advice)
    if data_dir.stat().st_mode & 0o022:
        return Check(name="data folder", state="fail", found=f"others may write into {data_dir}", advice=advice)
    if free_bytes is not None and free_bytes < DISK_BYTES:
        found = f"only {gigabytes(free_bytes)} free in {data_dir}"
        return Check(name="data folder", state="warn", found=found, advice="make room, or name another folder with --data-dir")
    free = f", {gigabytes(free_bytes)} free" if free_bytes is not None else ""
    return Check(name="data folder", state="ok", found=f"{data_dir}{free}")


def key(path: Path) -> Check:
    """Whether the worker's key is for its owner only."""
    if not path.exists():
        return Check(name="worker key", state="ok", found=f"{path} (made at the first start)")
    if path.stat().st_mode & 0o077:
        return Check(name="worker key", state="fail", found=f"others may read {path}", advice=f"chmod 600 {path}")
    return Check(name="worker key", state="ok", found=str(path))


def pool(address: str, ask_time: Callable[[], float | None], now_s: float) -> Iterator[Check]:
    """Whether the pool answers, and whether the clocks agree."""
    if not address:
        advice = "give --pool URL, set IAMINE_POOL, or start one here with `iamine up`"
        yield Check(name="pool", state="warn", found="no pool is set", advice=advice)
        return
    try:
        theirs = ask_time()
    except IamineError as error:
        yield Check(name="pool", state="fail", found=error.message, advice=error.hint)
        return
    yield Check(name="pool", state="ok", found=f"{address} answers")
    if theirs is None:
        yield Check(name="clock", state="ok", found="the pool tells no time to compare with")
    elif abs(theirs - now_s) > CLOCK_S:
        found = f"{abs(theirs - now_s):.0f} s {'behind' if theirs > now_s else 'ahead of'} the pool"
        yield Check(name="clock", state="warn", found=found, advice="switch time synchronisation on: timedatectl set-ntp true")
    else:
        yield Check(name="clock", state="ok", found="agrees with the pool's")


def worst(checks: list[Check]) -> State:
    """The verdict over all."""
    states = {check.state for check in checks}
    return "fail" if "fail" in states else "warn" if "warn" in states else "ok"
