"""The stage that makes a slot: base, overlay and Python in one tree, then kernel, initial RAM disk and squashfs."""

import json
import shutil
from pathlib import Path

from imagebuild import sizes
from imagebuild.plan import OURS, OVERLAY, ROOT, Site, Wish
from imagebuild.stage import digest, remove
from imagebuild.tree import Run
from imagebuild.wheels import VENV

BLOCK = "256K"
SIZES = "sizes.json"


def slot(site: Site, wish: Wish, builder_tree: Path, base: Path, venv: Path) -> Path:
    """`vmlinuz`, `initrd.img`, `filesystem.squashfs`, and the lists of packages."""
    defaults = {"pool": wish.pool, "pool_key": wish.pool_key}
    keys = [base.name, venv.parent.name, str(wish.zstd_level), json.dumps(defaults), str(site.epoch)]
    key = digest([*keys, OVERLAY, OURS / "settle.sh", OURS / "llvm-stub.sh"], ROOT)

    def make(draft: Path, log: Path) -> None:
        run, tree = Run(log, site.environ), draft / "tree"
        run.host("cp", "-a", base / "tree", tree)
        run.host("cp", "-a", OVERLAY, draft / "overlay")
        run.host("chmod", "-R", "u=rwX,go=rX", draft / "overlay")  # whatever the clone's umask was
        run.host("cp", "-a", "--no-preserve=ownership", f"{draft}/overlay/.", tree)
        run.host("mkdir", "-p", tree / VENV)
        run.host("cp", "-a", f"{venv}/.", tree / VENV)
        run.inside(builder_tree, {tree: "work/tree", OURS: "work/ours"}, "sh", "/work/ours/llvm-stub.sh", "/work/tree")
        (tree / "usr/lib/iamine/baked.json").write_text(json.dumps(defaults) + "\n")
        run.inside(tree, {OURS: "work/ours"}, "sh", "/work/ours/settle.sh")
        for name, pattern in (("vmlinuz", "vmlinuz-*"), ("initrd.img", "initrd.img-*")):
            (found,) = (tree / "boot").glob(pattern)
            shutil.copyfile(found, draft / name)
        sizes.write(tree, draft / SIZES)
        _squash(run, builder_tree, draft, wish.zstd_level)
        shutil.copyfile(base / "packages.tsv", draft / "packages.tsv")
        remove(tree)
        remove(draft / "overlay")

    return site.shelf.take("slot", key, "the system: overlay, units, squashfs", make)


def _squash(run: Run, builder_tree: Path, draft: Path, level: int) -> None:
    command = [
        "mksquashfs",
        "/work/out/tree",
        "/work/out/filesystem.squashfs",
        "-comp",
        "zstd",
        "-Xcompression-level",
        str(level),
    ]
    command += ["-b", BLOCK, "-noappend", "-no-progress", "-no-exports", "-wildcards", "-e", "boot/*", "oldroot", "work"]
    run.inside(builder_tree, {draft: "work/out"}, *command)
