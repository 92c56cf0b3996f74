"""Python, llama.cpp and the models: whether they load, and whether they compute what they should."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from appliance.agent.doctor.check import Check, fail, ok, warn
from appliance.agent.doctor.selftest import ANSWER
from appliance.agent.machine import Hardware
from appliance.agent.models import Catalog

OLDEST_PYTHON = (3, 10)
ENGINE_S = 60.0
ENGINE_COMMAND = (sys.executable, "-c", "import llama_cpp; print(llama_cpp.__version__)")
TEST_COMMAND = (sys.executable, "-m", "appliance.agent.doctor.selftest")
AGAIN = "install it again: pip install --force-reinstall --no-binary :all: llama-cpp-python"


def python(version: tuple[int, int]) -> Check:
    """Whether this Python is new enough."""
    found = f"Python {version[0]}.{version[1]}"
    if version >= OLDEST_PYTHON:
        return ok("python", found)
    return fail("python", found, "install Python 3.10 or newer and make the venv anew")


def engine(command: tuple[str, ...] = ENGINE_COMMAND) -> Check:
    """Whether llama.cpp loads, tried in a child process: what crashes there does not crash here."""
    code, out, said = _child(command)
    return ok("llama.cpp", f"llama-cpp-python {out}") if code == 0 else fail("llama.cpp", said, AGAIN)


def computes(machine: Hardware, *, use_gpu: bool | None, command: tuple[str, ...] = TEST_COMMAND) -> Iterator[Check]:
    """Whether an engine loads the bundled model and answers right: on the processor, and on the GPU where there is one."""
    yield _answers("engine", (*command,), AGAIN)
    if machine.usable_devices and use_gpu is not False:
        name = ", ".join(device.name for device in machine.usable_devices)
        advice = f"update the driver of {name}; until then gpu = false in worker.toml leaves it alone"
        yield _answers("engine on the GPU", (*command, "--gpu"), advice)


def _answers(name: str, command: tuple[str, ...], advice: str) -> Check:
    with tempfile.TemporaryDirectory(prefix="iamine-doctor-") as folder:
        code, out, said = _child((*command, folder))
    if code:
        return fail(name, said, advice)
    told = json.loads(out)
    if told["problem"]:
        return fail(name, told["problem"], told["hint"] or advice)
    if told["text"] != ANSWER:
        return fail(name, f"mote says {told['text'][:60]!r} instead of {ANSWER!r}: it computes wrong", advice)
    return ok(name, f"mote loaded in {told['load_s']:.1f} s and counted right")


def _child(command: tuple[str, ...]) -> tuple[int, str, str]:
    """(exit code, what it printed, what went wrong in words)."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=ENGINE_S, stdin=subprocess.DEVNULL, text=True, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return 1, "", f"did not start: {error}"
    if done.returncode < 0:
        return done.returncode, "", f"crashed with signal {-done.returncode}"
    return done.returncode, done.stdout.strip(), (done.stderr.strip().splitlines() or ["no message"])[-1]


def model_files(catalog: Catalog) -> Iterator[Check]:
    """The models at hand, and each file that is in no order."""
    names = ", ".join(file.model.id for file in catalog.files)
    if names:
        yield ok("models", f"{names} (SHA-256 checked)")
    else:
        yield fail("models", "no model file is at hand", "install IAMINE again")
    for problem in catalog.problems:
        found, _, advice = problem.partition("; ")
        yield warn("models", found, advice)
