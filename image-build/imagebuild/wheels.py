"""The stages of Python: what pip brings by hash, and the private environment put together."""

from pathlib import Path

from imagebuild.locks import only, words
from imagebuild.pip import download
from imagebuild.plan import LOCKS, OURS, ROOT, Site
from imagebuild.stage import digest
from imagebuild.tree import Run

PYTHON = "3.13"  # of the image's Debian
_PLATFORMS = [f"manylinux_2_{minor}_x86_64" for minor in (5, 12, 17, 24, 27, 28, 31, 34)]
_PLATFORMS += ["manylinux1_x86_64", "manylinux2010_x86_64", "manylinux2014_x86_64", "any"]
_ABIS = [f"cp{PYTHON.replace('.', '')}", "abi3", "none"]
VENV = "usr/lib/iamine/venv"
_PACKAGED = ("iamine", "pool", "appliance", "pyproject.toml")


def _names(name: str) -> list[str]:
    return words((OURS / "packages" / f"{name}.txt").read_text())


def _locks() -> dict[str, str]:
    """The parts of the locks: what is installed, what makes wheels."""
    runtime, build = (LOCKS / "runtime.txt").read_text(), (LOCKS / "build.txt").read_text()
    tools = _names("wheel-tools")
    of_build = {"packaging", "pathspec"}
    return {"wheels": only(runtime, _names("python")), "tools": only(build, of_build) + only(runtime, set(tools) - of_build)}


def fetched(site: Site) -> Path:
    """`wheels/` and `tools/`, each file checked against the locks' hashes, by this machine's own pip."""
    locks = _locks()

    def make(draft: Path, log: Path) -> None:
        run = Run(log, site.environ)
        for name, lock in locks.items():
            (draft / f"{name}.txt").write_text(lock)
            chosen = [f"--platform={each}" for each in _PLATFORMS] + [f"--abi={each}" for each in _ABIS]
            options = ["--only-binary=:all:", f"--python-version={PYTHON}", "--implementation=cp", *chosen]
            download(run, *options, lock=draft / f"{name}.txt", to=draft / name)

    return site.shelf.take("fetched", digest([*locks.values(), PYTHON], ROOT), "Python packages, by hash", make)


def venv(site: Site, builder_tree: Path, packages: Path, libraries: Path) -> Path:
    """The folder that becomes /usr/lib/iamine/venv."""
    sources = [ROOT / name for name in _PACKAGED]
    keys = [builder_tree.parent.name, packages.name, libraries.name, str(site.epoch)]

    def make(draft: Path, log: Path) -> None:
        (draft / "venv").mkdir()
        binds = {
            ROOT: "work/source",
            packages: "work/fetched",
            libraries: "work/llama",
            draft / "venv": VENV,
            OURS: "work/ours",
        }
        Run(log, site.environ).inside(builder_tree, binds, "/work/ours/venv.sh", f"/{VENV}")

    key = digest([*keys, OURS / "venv.sh", *sources], ROOT)
    return site.shelf.take("venv", key, "the agent's own Python environment", make) / "venv"
