"""`python -m imagebuild.repro`: the image from nothing, twice, with the same downloads; are they equal to the byte?"""

import hashlib
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from imagebuild import cli
from imagebuild.stage import say

_KEPT = ("fetched",)  # by hash already; the Debian packages come from the same mirror


def main(arguments: Sequence[str]) -> int:
    """0 when both are equal; else 1, and both stay for a look. Arguments go to the build."""
    folder, sums = Path(tempfile.mkdtemp(prefix="iamine-repro-", dir="/var/tmp")), list[str]()
    for number in (1, 2):
        cache, out = folder / f"cache{number}", folder / f"out{number}"
        for kept in _KEPT if number == 2 else ():
            for stage in (folder / "cache1").glob(f"{kept}-*"):
                shutil.copytree(stage, cache / stage.name)
        code = cli.main(["--cache", str(cache), "--out", str(out), *arguments])
        if code != 0:
            return code
        (image,) = out.glob("*.img")
        with image.open("rb") as file:
            sums.append(hashlib.file_digest(file, "sha256").hexdigest())
        say(f"build {number}: {sums[-1]}")
    if sums[0] != sums[1]:
        say(f"they differ: {folder} has both")
        return 1
    shutil.rmtree(folder)
    say("equal to the byte")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
