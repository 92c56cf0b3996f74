"""Python, llama.cpp and models."""

import json
import sys
from pathlib import Path

import pytest
from fakes.machines import card, made

from appliance.agent.doctor import software
from appliance.agent.doctor.selftest import ANSWER
from appliance.agent.models import Catalog
from appliance.agent.types import ModelFile
from iamine.manifest import load

MOTE = ModelFile(model=load().model[0], path=Path("/m"), known=True)


def test_python() -> None:
    assert software.python((3, 10)).state == "ok"
    assert software.python((3, 9)).state == "fail"


@pytest.mark.parametrize(
    ("code", "state", "found"),
    [
        ("print('0.3')", "ok", "0.3"),
        ("raise ImportError('no llama')", "fail", "no llama"),
        ("raise SystemExit(1)", "fail", "no message"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "fail", "signal 9"),
    ],
)
def test_the_engine_is_tried_in_a_child(code: str, state: str, found: str) -> None:
    check = software.engine((sys.executable, "-c", code))
    assert (check.state, found in check.found, bool(check.advice)) == (state, True, state == "fail")


def test_an_engine_that_cannot_start_fails() -> None:
    assert software.engine(("/does/not/exist",)).state == "fail"


def says(**told: object) -> tuple[str, ...]:
    answer = {"problem": "", "hint": "", "text": ANSWER, "load_s": 0.5} | told
    return (sys.executable, "-c", f"print({json.dumps(json.dumps(answer))})")


@pytest.mark.parametrize(
    ("command", "state", "found"),
    [
        (says(), "ok", "counted right"),
        (says(text="3 4 9"), "fail", "computes wrong"),
        (says(problem="out of memory", hint="close programs"), "fail", "out of memory"),
        ((sys.executable, "-c", "import os; os.abort()"), "fail", "signal 6"),
    ],
)
def test_an_engine_must_answer_and_be_right(command: tuple[str, ...], state: str, found: str) -> None:
    (check,) = software.computes(made(10**9), use_gpu=None, command=command)
    assert (check.state, found in check.found, bool(check.advice)) == (state, True, state == "fail")


def test_a_gpu_is_tried_too_unless_it_is_left_alone() -> None:
    machine = made(10**9, card("RTX", 8, 8))
    names = [check.name for check in software.computes(machine, use_gpu=None, command=says())]
    assert names == ["engine", "engine on the GPU"]
    assert len(list(software.computes(machine, use_gpu=False, command=says()))) == 1


def test_models_and_their_problems() -> None:
    checks = list(software.model_files(Catalog(files=(MOTE,), problems=("/x: partial; finish the download",))))
    assert [check.state for check in checks] == ["ok", "warn"]
    assert (checks[1].found, checks[1].advice) == ("/x: partial", "finish the download")
    assert next(software.model_files(Catalog(files=(), problems=()))).state == "fail"
