"""`python -m imagebuild.libs`: llama.cpp's portable libraries and its Python binding in one folder, for any x86-64 Linux.

The same stage as in the image, so the same bytes: compiled by Debian 13's tools whatever the host is.
"""

import argparse
import hashlib
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from imagebuild import engine, session
from imagebuild.plan import ROOT, Site
from imagebuild.stage import remove, say

FREE_BYTES = 4 * 10**9  # the tree of tools 1.0, the build 1.5
LEAST_GLIBC = "2.38"  # Debian 13, Ubuntu 24.04, Fedora 39: what the libraries ask of their system
_DESCRIPTION = (
    "Compile llama.cpp's libraries: a CPU variant for every kind of x86-64-v2 processor, and Vulkan. "
    f"They run where glibc is {LEAST_GLIBC} or newer (Debian 13, Ubuntu 24.04, Fedora 39)."
)


def main(arguments: Sequence[str]) -> int:
    """Build; the exit code."""
    parser = argparse.ArgumentParser(prog="just engine-libs", description=_DESCRIPTION)
    out = ROOT / "dist" / "engine"
    cache = session.default_cache()
    parser.add_argument("--out", type=Path, default=out, metavar="DIR", help="where the folder goes (default: dist/engine)")
    parser.add_argument("--cache", type=Path, default=cache, metavar="DIR", help=f"where stages are kept (default: {cache})")
    args = parser.parse_args(arguments)

    def work(site: Site) -> Path:
        return publish(engine.libraries(site), args.out)

    return session.run(args.cache, work, recipe="engine-libs", free_bytes=FREE_BYTES)


def publish(made: Path, out: Path) -> Path:
    """A copy of the stage in `out`, which it replaces, with SHA256SUMS, and how it is used."""
    draft = out.with_name(f".{out.name}.draft")
    remove(draft)
    shutil.copytree(made, draft)
    paths = sorted(path for path in draft.rglob("*") if path.is_file())
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(draft)}\n" for path in paths]
    (draft / "SHA256SUMS").write_text("".join(sums))
    remove(out)
    draft.rename(out)
    (wheel,) = (out / "wheel").iterdir()
    say(f"libraries {out / 'lib'} ({sum(path.stat().st_size for path in (out / 'lib').iterdir()) / 1e6:.0f} MB)")
    say(f"use them  pip install --no-deps --force-reinstall {wheel}; export LLAMA_CPP_LIB_PATH={out / 'lib'}")
    return out


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
