"""Drivers are asked in short-lived processes, each for itself and all at once: one that hangs costs only its own answer."""

import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TypeVar

import msgspec

from appliance.agent.probe.answers import Answers, Engine, Names, Nvml

LIMIT_S = 15.0  # a broken driver may hang
ALONE_LIMIT_S = 5.0  # for llama.cpp without any driver; takes 0.1
PARTS = ("nvml", "engine", "names")
ANSWER_BYTES = 1 << 20
T = TypeVar("T", Nvml, Engine, Names)


def ask_all(parts: Sequence[str] = PARTS, *, limit_s: float = LIMIT_S, command: Sequence[str] = ()) -> Answers:
    """The answers of the parts, with a problem in words for each that gives none."""
    began = time.monotonic()
    program = command or (sys.executable, "-m", "appliance.agent.probe")
    running = {part: _start((*program, part)) for part in parts}
    told = {part: _end(child, limit_s - (time.monotonic() - began)) for part, child in running.items()}
    engine = _read(told.get("engine"), Engine)
    if engine.problem and not engine.folder:
        engine = _without_drivers(engine, program)
    return Answers(nvml=_read(told.get("nvml"), Nvml), engine=engine, names=_read(told.get("names"), Names))


def _without_drivers(lost: Engine, program: Sequence[str]) -> Engine:
    """A driver took llama.cpp down: what it is without any, beside the problem."""
    child = _read(_end(_start((*program, "processor")), ALONE_LIMIT_S), Engine)
    return lost if child.problem else msgspec.structs.replace(child, problem=f"{lost.problem}, as a graphics driver makes it")


def _start(command: Sequence[str]) -> "subprocess.Popen[bytes] | str":
    try:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError as error:
        return f"could not be asked: {error}"


def _end(child: "subprocess.Popen[bytes] | str", left_s: float) -> bytes | str:
    """What the child wrote, or in words why nothing came."""
    if isinstance(child, str):
        return child
    try:
        answer, _ = child.communicate(timeout=max(0.01, left_s))
    except subprocess.TimeoutExpired:
        child.kill()
        with suppress(subprocess.TimeoutExpired):  # a driver may hold it in the kernel: then it is left to end by itself
            child.wait(1.0)
        if child.stdout:
            child.stdout.close()
        return "did not answer in time"
    if child.returncode < 0:
        return f"crashed with signal {-child.returncode}"
    return answer if child.returncode == 0 and len(answer) <= ANSWER_BYTES else f"ended with code {child.returncode}"


def _read(told: bytes | str | None, kind: type[T]) -> T:
    if told is None:
        return kind()
    if isinstance(told, str):
        return kind(problem=told)
    try:
        return msgspec.json.decode(told, type=kind)
    except msgspec.DecodeError:
        return kind(problem="answered nonsense")
