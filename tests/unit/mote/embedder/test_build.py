"""The recipe's file is the manifest's, or there is none."""

import hashlib
from pathlib import Path

import pytest

from mote.embedder import build


def test_the_manifest_knows_the_model_and_the_lock_its_source() -> None:
    assert build.entry().path.endswith(".gguf")
    assert "--hash=sha256:" in build.LOCK.read_text()


def test_a_file_that_is_there_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = tmp_path / build.entry().path
    there.write_bytes(b"x")
    entry = build.File(path=there.name, bytes=1, sha256=hashlib.sha256(b"x").hexdigest())
    monkeypatch.setattr(build, "entry", lambda: entry)
    assert build.made(tmp_path) == there


def test_a_failure_is_told_with_what_to_try_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("no-such-package-of-iamine==0 --hash=sha256:" + "0" * 64)
    monkeypatch.setattr(build, "LOCK", lock)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert build.main(["--out", str(tmp_path / "out")]) == build.EXIT_FAILED
    assert "try: check the network" in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []
