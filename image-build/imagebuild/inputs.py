"""What an image is made of, as one hash; `TESTED` holds the one that passed in QEMU."""

import subprocess
from pathlib import Path

from imagebuild.plan import OURS, ROOT
from imagebuild.stage import digest

TESTED = OURS / "TESTED"
_INPUTS = ("appliance", "iamine", "image-build", "requirements", "tests/image", "pyproject.toml")


def inputs_hash(root: Path = ROOT) -> str:
    """Of every file that git knows or would take below the inputs, but TESTED itself."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *_INPUTS]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.split("\0")
    paths = [root / name for name in sorted(set(listed)) if name]
    return digest([path for path in paths if path != TESTED and (path.is_symlink() or path.is_file())], root)


def is_tested() -> bool:
    """Whether these very inputs have passed."""
    return TESTED.exists() and TESTED.read_text().split()[:1] == [inputs_hash()]
