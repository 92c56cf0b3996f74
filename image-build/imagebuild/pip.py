"""The door to pip: it downloads what a lock names, checked by hash, with this user's own settings."""

import sys
from pathlib import Path

from imagebuild.tree import Run


def download(run: Run, *options: str, lock: Path, to: Path) -> None:
    """The files of `lock` into the folder `to`. Raises BuildError."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", *options]
    run.host(*command, "-r", lock, "-d", to, cwd=to.parent)
