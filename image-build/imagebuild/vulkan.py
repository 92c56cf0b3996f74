"""`python -m imagebuild.vulkan`: the image's agent and libraries on Mesa's Vulkan driver for processors (lavapipe)."""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from imagebuild import engine, session, trees, wheels
from imagebuild.plan import ROOT, Site

TREE_VARIABLE, VENV_VARIABLE, SHADERS_VARIABLE = "IAMINE_VULKAN_TREE", "IAMINE_VULKAN_VENV", "IAMINE_VULKAN_SHADERS"


def main(arguments: Sequence[str]) -> int:
    """0 when everything passed. What is not known here goes to pytest."""
    parser = argparse.ArgumentParser(prog="just vulkan-test", description=__doc__)
    cache = session.default_cache()
    parser.add_argument("--cache", type=Path, default=cache, metavar="DIR", help=f"where stages are kept (default: {cache})")
    args, others = parser.parse_known_args(arguments)
    made: list[Path] = []

    def work(site: Site) -> Path:
        venv = wheels.venv(site, trees.builder(site), wheels.fetched(site), engine.libraries(site))
        made.extend((trees.tools(site, "vulkan"), venv))
        return venv

    code = session.run(args.cache, work, recipe="vulkan-test")
    if code:
        return code
    shaders = args.cache / "vulkan-shaders"  # compiled the first time, which takes minutes, and kept
    shaders.mkdir(exist_ok=True)
    return _tested({TREE_VARIABLE: str(made[0]), VENV_VARIABLE: str(made[1]), SHADERS_VARIABLE: str(shaders)}, others)


def _tested(places: dict[str, str], others: Sequence[str]) -> int:
    environ = {**os.environ, **places}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-s", "-p", "no:cacheprovider", "tests/vulkan", *others]
    return subprocess.run(command, cwd=ROOT, env=environ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
