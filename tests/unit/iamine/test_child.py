"""The start of a command line that dies with its parent."""

import os
import signal
import subprocess
import sys

from iamine.child import dies_with_parent


def test_the_command_itself_runs_in_the_same_process() -> None:
    shown = subprocess.run([*dies_with_parent(signal.SIGTERM), "echo", "here"], capture_output=True, text=True, check=True)
    assert shown.stdout == "here\n"


def test_the_death_signal_is_set() -> None:
    ask = "import ctypes; n = ctypes.c_int(); ctypes.CDLL(None).prctl(2, ctypes.byref(n)); print(n.value)"
    command = [*dies_with_parent(signal.SIGINT), sys.executable, "-c", ask]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "2\n"


def test_it_ends_at_once_when_the_parent_is_already_gone() -> None:
    not_the_parent = os.getppid()
    ended = subprocess.run(
        [*dies_with_parent(signal.SIGTERM, not_the_parent), "echo", "here"], capture_output=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (125, b"")
