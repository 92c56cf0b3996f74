"""The hash of an image's inputs."""

import subprocess
from pathlib import Path

from imagebuild.inputs import inputs_hash


def test_it_changes_with_inputs_only(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "iamine").mkdir()
    (tmp_path / "iamine" / "a.py").write_text("1")
    first = inputs_hash(tmp_path)
    (tmp_path / "README.md").write_text("not an input")
    assert inputs_hash(tmp_path) == first
    (tmp_path / "iamine" / "b.py").write_text("2")
    assert inputs_hash(tmp_path) != first
