"""The stages of llama.cpp: its source by hash, and its libraries compiled in a tree of tools of their own.

Apart from the image's own tools, so that nothing but a change of llama.cpp, of its recipe or of its compilers compiles it anew.
"""

import sys
from pathlib import Path

from imagebuild import host, trees
from imagebuild.locks import only
from imagebuild.pip import download
from imagebuild.plan import LOCKS, OURS, ROOT, Site
from imagebuild.progress import Steps, compilers
from imagebuild.stage import digest, remove
from imagebuild.tree import Run

_WHEEL_TOOLS = ("packaging", "pathspec", "scikit-build-core")
_ABOUT = "llama.cpp for every x86-64-v2 processor and for Vulkan (about 650 CPU seconds)"


def source(site: Site) -> Path:
    """`sdist/` and `tools/`, each file checked against the locks' hashes, by this machine's own pip."""
    tools, llama = only((LOCKS / "build.txt").read_text(), _WHEEL_TOOLS), LOCKS / "llama.txt"

    def make(draft: Path, log: Path) -> None:
        run = Run(log, site.environ)
        (draft / "tools.txt").write_text(tools)
        download(run, "--only-binary=:all:", lock=draft / "tools.txt", to=draft / "tools")
        download(run, "--no-binary=:all:", lock=llama, to=draft / "sdist")

    return site.shelf.take("source", digest([tools, llama], ROOT), "llama.cpp's source, by hash", make)


def libraries(site: Site) -> Path:
    """`lib/`, a folder for LLAMA_CPP_LIB_PATH, and `wheel/`, the Python binding without libraries."""
    tree, packages = trees.tools(site, "engine"), source(site)
    key = digest([tree.parent.name, packages.name, OURS / "llama.sh"], ROOT)

    def make(draft: Path, log: Path) -> None:
        work = draft / "work"
        work.mkdir()
        (sdist,) = (packages / "sdist").iterdir()
        binds = {packages: "work/source", work: "work/build", draft: "work/out", OURS: "work/image-build"}
        command = ["/work/image-build/llama.sh", f"/work/source/sdist/{sdist.name}", "/work/source/tools", "/work/build"]
        jobs = compilers(site.jobs, host.memory_bytes())
        watch = Steps(_write, sys.stderr.isatty())
        dated = {"SOURCE_DATE_EPOCH": str(host.EPOCH_WITHOUT_GIT)}  # whenever our lists change, llama.cpp does not
        Run(log, {**site.environ, **dated}, watch).inside(tree, binds, *command, "/work/out", str(jobs))
        remove(work)

    return site.shelf.take("libraries", key, _ABOUT, make)


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
