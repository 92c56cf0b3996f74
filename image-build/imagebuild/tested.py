"""`python -m imagebuild.tested`: build the image for virtual machines, start it in QEMU, note what passed in TESTED."""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Sequence

from imagebuild import cli
from imagebuild.inputs import TESTED, inputs_hash, is_tested
from imagebuild.plan import ROOT
from imagebuild.stage import say

NEEDED = {"qemu-system-x86_64": "qemu-system-x86", "mcopy": "mtools", "sfdisk": "fdisk"}
OUT = ROOT / "dist" / "test"


def main(arguments: Sequence[str]) -> int:
    """0 when everything passed, which TESTED then says; with --if-changed nothing is done for inputs that passed before."""
    parser = argparse.ArgumentParser(prog="just image-test", description=__doc__)
    parser.add_argument("--if-changed", action="store_true", help="only when an input differs from those in TESTED")
    parser.add_argument("-k", dest="chosen", default="", help="these tests only; TESTED is not written")
    options = parser.parse_args(arguments)
    if options.if_changed and is_tested():
        say("these very inputs have passed: nothing to do")
        return 0
    missing = [package for tool, package in NEEDED.items() if shutil.which(tool) is None]
    if missing:
        say(f"error: not installed: {', '.join(missing)}\ntry: apt-get install {' '.join(missing)} ovmf")
        return 1
    began = inputs_hash()
    code = cli.main(["--no-firmware", "--quick", "--out", str(OUT)])
    if code != 0:
        return code
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-s", "-p", "no:cacheprovider", "tests/image"]
    chosen = ["-k", options.chosen] if options.chosen else []
    code = subprocess.run([*command, *chosen], cwd=ROOT).returncode
    if code == 0 and not chosen and inputs_hash() == began:
        TESTED.write_text(f"{began}\n")
        say(f"passed: {TESTED.relative_to(ROOT)} says so")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
