"""A driver that hangs, crashes or talks nonsense costs its own answer only."""

import sys
import time

from appliance.agent.probe.child import ask_all

ANSWERING = """
import os, sys, time
part = sys.argv[1]
if part == "nvml": %s
if part == "engine": print('{"backends": ["CPU"]}')
if part == "names": print('{"names": {"0000:01:00.0": "A card"}}')
"""


def asked(what: str, *, limit_s: float = 15.0) -> str:
    """The problem that NVML's child ends with; the others are whole."""
    answers = ask_all(limit_s=limit_s, command=(sys.executable, "-c", ANSWERING % what))
    assert answers.engine.backends == ("CPU",)
    assert answers.names.names == {"0000:01:00.0": "A card"}
    assert not answers.nvml.devices
    return answers.nvml.problem


def test_each_way_to_fail_is_told_and_the_others_answer() -> None:
    assert asked("os.abort()") == "crashed with signal 6"
    assert asked("print('?')") == "answered nonsense"
    assert asked("sys.exit(3)") == "ended with code 3"
    assert asked("print('{}')") == ""


def test_a_driver_that_hangs_is_given_up() -> None:
    began = time.monotonic()
    answers = ask_all(("nvml",), limit_s=0.3, command=(sys.executable, "-c", "import time; time.sleep(60)"))
    assert answers.nvml.problem == "did not answer in time"
    assert time.monotonic() - began < 30


def test_a_program_that_does_not_start_is_told() -> None:
    assert "could not be asked" in ask_all(("engine",), command=("/does/not/exist",)).engine.problem


def test_what_was_not_asked_has_no_problem() -> None:
    assert ask_all((), command=("/does/not/exist",)).engine.problem == ""


def test_a_driver_that_takes_llama_cpp_down_leaves_the_processor() -> None:
    program = """
import os, sys
if sys.argv[1] == "engine": os.abort()
print('{"folder": "/lib", "backends": ["CPU"], "variant": "zen4"}')
"""
    engine = ask_all(("engine",), command=(sys.executable, "-c", program)).engine
    assert (engine.backends, engine.variant, engine.devices) == (("CPU",), "zen4", ())
    assert engine.problem == "crashed with signal 6, as a graphics driver makes it"
