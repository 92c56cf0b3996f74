"""A command's output goes to the log and to whoever watches; what ends the build ends the command."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from imagebuild.errors import BuildError
from imagebuild.tree import Run


def test_each_line_is_logged_and_watched(tmp_path: Path) -> None:
    seen: list[str] = []
    Run(tmp_path / "log", {"WORD": "there"}, seen.append).host("sh", "-c", "echo here; echo $WORD >&2")
    assert seen == ["here", "there"] and (tmp_path / "log").read_text() == "here\nthere\n"


def test_a_command_that_fails_is_named(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"ended with 3: \.\.\.sh -c exit 3"):
        Run(tmp_path / "log").host("sh", "-c", "exit 3")


def test_an_interrupted_build_kills_its_command(tmp_path: Path) -> None:
    seen: list[int] = []

    def interrupt(line: str) -> None:
        seen.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Run(tmp_path / "log", watch=interrupt).host("sh", "-c", "echo $$; exec sleep 600")
    assert gone(seen[0])


@pytest.mark.skipif(os.geteuid() != 0, reason="a tree is entered by pivot_root, which needs root")
def test_a_killed_build_takes_along_what_runs_in_the_tree(tmp_path: Path) -> None:
    program = f"""
from pathlib import Path
from imagebuild.tree import _WITH_US, Run
Run(Path({str(tmp_path / "log")!r}), watch=lambda line: print(line, flush=True)).host(*_WITH_US, "sh", "-c", {INNER!r})
"""
    environ = {**os.environ, "PYTHONPATH": "image-build:."}
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=environ, text=True) as build:
        assert build.stdout is not None
        inner = int(build.stdout.readline())
        build.kill()
    deadline = time.monotonic() + 10
    while not gone(inner) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert gone(inner)


INNER = "read pid rest </proc/self/stat; echo $pid; sleep 600 & wait"  # its number outside: this /proc is the outer one


def gone(pid: int) -> bool:
    """Ended, and perhaps not yet reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True
