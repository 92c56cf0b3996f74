"""The identity in memory: only its owner's, and never over one that is there."""

import os
from pathlib import Path

from appliance.medium.kept import hold, restore


def test_what_was_held_comes_back_into_an_empty_folder(tmp_path: Path) -> None:
    worker, keep, new = tmp_path / "worker", tmp_path / "keep", tmp_path / "new/worker"
    worker.mkdir()
    (worker / "worker.key").write_bytes(b"seed")
    hold(worker, keep)
    hold(worker, keep)
    restore(keep, new, os.getuid())
    assert (new / "worker.key").read_bytes() == b"seed"
    assert {path.stat().st_mode & 0o77 for path in (keep, new, keep / "worker.key", new / "worker.key")} == {0}
    assert not (new / "pool.json").exists()


def test_a_key_that_is_there_stays(tmp_path: Path) -> None:
    keep, worker = tmp_path / "keep", tmp_path / "worker"
    for folder, content in ((keep, b"old"), (worker, b"own")):
        folder.mkdir()
        (folder / "worker.key").write_bytes(content)
    restore(keep, worker, os.getuid())
    assert (worker / "worker.key").read_bytes() == b"own"
