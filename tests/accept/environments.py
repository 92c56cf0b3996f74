"""Each client's own environment under .venv-accept/, made from the locks once and again when a lock changes."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".venv-accept"
LOCKS = ROOT / "requirements" / "accept"
NODE_LOCK = LOCKS / "package-lock.json"
INSTALL_S = 1800.0
VERSION = re.compile(r"^([\w.-]+)==(\S+)", re.MULTILINE)


class CannotMake(Exception):
    """This machine lacks something that the environment needs; the text says what."""


@dataclass(frozen=True)
class Environment:
    """An interpreter with the packages of a lock; `newest` is the newest Python that they take."""

    name: str
    newest: tuple[int, int] = (3, 99)

    @property
    def lock(self) -> Path:
        return LOCKS / f"{self.name}.txt"

    @property
    def python(self) -> Path:
        return HOME / self.name / "bin" / "python"

    def versions(self) -> dict[str, str]:
        return dict(VERSION.findall(self.lock.read_text()))

    def make(self) -> Path:
        """The interpreter. Raises CannotMake."""
        with Stamp(HOME / self.name, self.lock) as stamp:
            if stamp.stale:
                say(f"installing {self.lock.relative_to(ROOT)} ({len(self.versions())} packages)")
                run([self._base(), "-m", "venv", str(HOME / self.name)])
                pip = [str(self.python), "-m", "pip", "install", "--quiet", "--require-hashes", "--no-input"]
                run([*pip, "-r", str(self.lock)])
        return self.python

    def _base(self) -> str:
        if sys.version_info[:2] <= self.newest:
            return sys.executable
        for minor in range(self.newest[1], 10, -1):
            found = shutil.which(f"python3.{minor}")
            if found and subprocess.run([found, "-c", ""], check=False, capture_output=True).returncode == 0:
                return found
        raise CannotMake(f"{self.name} takes Python 3.11 to {'.'.join(map(str, self.newest))}: put one in PATH")


def node_versions() -> dict[str, str]:
    """What package.json asks for, to the letter."""
    packages: dict[str, str] = json.loads((LOCKS / "package.json").read_text())["dependencies"]
    return packages


def make_node() -> Path:
    """The folder of node's packages. Raises CannotMake."""
    if not shutil.which("npm") or not shutil.which("node"):
        raise CannotMake("node and npm are not installed")
    folder = HOME / "node"
    with Stamp(folder, NODE_LOCK) as stamp:
        if stamp.stale:
            say(f"installing {NODE_LOCK.relative_to(ROOT)} (opencode alone is 200 MB)")
            folder.mkdir(parents=True)
            for name in ("package.json", "package-lock.json"):
                shutil.copy(LOCKS / name, folder / name)
            # not `ci`: it insists on entries for opencode's packages of every other platform
            run(["npm", "install", "--no-save", "--no-audit", "--no-fund"], cwd=folder)
    return folder / "node_modules"


class Stamp:
    """Whether a folder was made from this lock; it counts as made when the block ends well."""

    def __init__(self, folder: Path, lock: Path) -> None:
        self._file = folder / "made-from"
        self._digest = hashlib.sha256(lock.read_bytes()).hexdigest()
        self.stale = not self._file.is_file() or self._file.read_text() != self._digest
        if self.stale and folder.exists():
            shutil.rmtree(folder)

    def __enter__(self) -> "Stamp":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and self.stale:
            self._file.write_text(self._digest)


def run(command: list[str], cwd: Path = ROOT) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if subprocess.run(command, cwd=cwd, env=environ, check=False, timeout=INSTALL_S).returncode:
        raise CannotMake(f"this failed: {' '.join(command)}")


def say(line: str) -> None:
    print(f"==> {line}", flush=True)
