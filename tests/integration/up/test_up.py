"""`iamine up` over real processes: ready, restarted, stopped in order, and gone with its supervisor."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from iamine.local import free_port

SCRIPT = Path(__file__).with_name("stand_in.py")
GONE_WITHIN_S = 8.0


def processes(data_dir: Path, role: str = "") -> list[int]:
    """The children of a run, by their command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "cmdline").read_bytes().decode().split("\0")
            if str(data_dir) in words and words[words.index(str(data_dir)) + 1].startswith(role) and "prctl" not in str(words):
                found.append(int(folder.name))
    return found


def until(true: Callable[[], bool], within_s: float, what: str) -> float:
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < within_s, what
        time.sleep(0.02)
    return time.monotonic() - began


Run = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Starts `up` with stand-ins; whatever is left at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(trouble: str = "none", ready: bool = True) -> "subprocess.Popen[str]":
        command = [sys.executable, str(SCRIPT), str(tmp_path), "up", str(free_port("127.0.0.1")), trouble]
        with (tmp_path / "out").open("w") as out, (tmp_path / "err").open("w") as err:
            process = subprocess.Popen(command, stdout=out, stderr=err, text=True, start_new_session=True)
        started.append(process)
        if ready:
            until(lambda: "Ctrl-C" in (tmp_path / "out").read_text(), 15, "it does not become ready")
            until(lambda: len(processes(tmp_path, "engine")) == 2, 15, "no engines")
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
    for pid in processes(tmp_path):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_it_tells_what_to_paste_when_it_is_ready(run: Run, tmp_path: Path) -> None:
    run()
    out = (tmp_path / "out").read_text()
    assert "export OPENAI_API_KEY=im_k_s" in out
    assert '"model": "mote"' in out
    err = (tmp_path / "err").read_text()
    assert f"data: new in {tmp_path}" in err
    assert "pool: ready" in err


def test_a_childs_errors_are_seen(run: Run, tmp_path: Path) -> None:
    run()
    until(lambda: "pool: ERROR of the stand-in" in (tmp_path / "err").read_text(), 5, "the error is not shown")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything_and_is_no_error(run: Run, tmp_path: Path, number: signal.Signals) -> None:
    process = run()
    process.send_signal(number)
    assert process.wait(10) == 0
    assert processes(tmp_path) == []


def test_ctrl_c_reaches_the_supervisor_only(run: Run, tmp_path: Path) -> None:
    process = run()
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(10) == 0
    assert "ended" not in (tmp_path / "err").read_text()


def test_a_stubborn_worker_is_killed_and_leaves_no_engine(run: Run, tmp_path: Path) -> None:
    process = run("stubborn")
    process.terminate()
    assert process.wait(10) == 0
    assert processes(tmp_path) == []
    assert "did not stop within 1 s" in (tmp_path / "err").read_text()


def test_a_second_signal_does_not_wait(run: Run, tmp_path: Path) -> None:
    process = run("stubborn")
    process.terminate()
    until(lambda: "stopping" in (tmp_path / "err").read_text(), 5, "it does not stop")
    process.terminate()
    assert process.wait(5) == 0
    assert processes(tmp_path) == []


def test_a_killed_supervisor_leaves_nothing_behind(run: Run, tmp_path: Path) -> None:
    process = run()
    process.kill()
    process.wait()
    until(lambda: processes(tmp_path) == [], GONE_WITHIN_S, f"left: {processes(tmp_path)}")


@pytest.mark.parametrize("role", ["worker", "pool"])
def test_a_child_that_crashed_is_started_again(run: Run, tmp_path: Path, role: str) -> None:
    run()
    before = processes(tmp_path, role)
    os.kill(before[0], signal.SIGKILL)
    until(lambda: len(set(processes(tmp_path, role)) - set(before)) == 1, 5, "it is not started again")
    assert "signal SIGKILL" in (tmp_path / "err").read_text()


def test_a_pool_that_refuses_its_configuration_ends_the_whole_with_its_message(run: Run, tmp_path: Path) -> None:
    process = run("refuse", ready=False)
    assert process.wait(10) == 2
    assert (tmp_path / "err").read_text().endswith("error: port 1 is in use\ntry: --port 2\n")
    assert processes(tmp_path) == []
