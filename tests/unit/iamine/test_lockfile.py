"""Locks on files."""

import subprocess
import sys
from pathlib import Path

import pytest

from iamine.lockfile import LockFile


def test_only_one_holds_it_until_it_is_released(tmp_path: Path) -> None:
    first, second = LockFile(tmp_path / "l"), LockFile(tmp_path / "l")
    assert first.try_take()
    assert not second.try_take()
    first.release()
    assert second.try_take()
    second.release()


def test_a_child_that_was_given_it_goes_on_holding_it(tmp_path: Path) -> None:
    first, second = LockFile(tmp_path / "l"), LockFile(tmp_path / "l")
    assert first.try_take()
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(first.fd,))
    first.release()
    assert not second.try_take()
    child.communicate(b"\n")
    assert second.try_take()
    second.release()


def test_there_is_no_descriptor_without_the_lock(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not locked"):
        _ = LockFile(tmp_path / "l").fd


def test_releasing_twice_is_nothing(tmp_path: Path) -> None:
    LockFile(tmp_path / "l").release()
