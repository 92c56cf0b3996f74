"""A Debian 13 with systemd in a container: made once, started with a layer in memory, in the network of the host.

Needs root, mmdebstrap and systemd-nspawn; nothing of it reaches this machine's own systemd, and nothing is mounted in its view.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from imagebuild import host
from imagebuild.locks import only
from imagebuild.wheels import _ABIS, _PLATFORMS, PYTHON, _names

ROOT = Path(__file__).parents[2]
NEEDED = ("mmdebstrap", "systemd-nspawn", "unshare", "nsenter", "mke2fs", "losetup")
PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "udev", "python3", "python3-venv", "libgomp1", "libudev1", "iproute2", "procps", "kmod",
    "mount", "ca-certificates",
)  # fmt: skip
ENVIRONMENT = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0", "LC_ALL": "C.UTF-8", "HOME": "/root",
    "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/work", "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}  # fmt: skip
# nspawn wants a /run of its own and, where the host has version 1 of cgroups, a tree of version 2
ENTER = r"""
mount --make-rprivate /
mount -t tmpfs tmpfs /run
umount -R /sys/fs/cgroup 2>/dev/null
mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec systemd-nspawn "$@"
"""
START_S = 90.0


class Failed(AssertionError):
    """A command in the guest went wrong."""


def missing() -> list[str]:
    """What this machine lacks."""
    return [tool for tool in NEEDED if shutil.which(tool) is None] + ([] if os.getuid() == 0 else ["root"])


def cache() -> Path:
    """Where trees are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "iamine" / "guest"


def tree() -> Path:
    """The guest's tree, made when the packages changed."""
    sources = "".join(f"{source.line}\n" for source in host.sources())
    done = cache() / f"tree-{hashlib.sha256(f'{PACKAGES}{sources}'.encode()).hexdigest()[:16]}"
    if done.is_dir():
        return done
    draft = cache() / "tree.draft"
    shutil.rmtree(draft, ignore_errors=True)
    draft.parent.mkdir(parents=True, exist_ok=True)
    (cache() / "sources.list").write_text(sources)
    command = ["mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory", *host.apt_options()]
    command += ['--aptopt=APT::Install-Recommends "false"', "--dpkgopt=path-exclude=/usr/share/man/*"]
    command += ["--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/locale/*"]
    subprocess.run([*command, f"--include={','.join(PACKAGES)}", "trixie", draft, cache() / "sources.list"], check=True)
    draft.rename(done)
    return done


def wheels(llama: Path) -> Path:
    """Every wheel that a worker needs in the guest: the locked ones for its Python, llama.cpp's of here, and ours of now."""
    lock = only((ROOT / "requirements" / "runtime.txt").read_text(), set(_names("python")))
    kept = cache() / f"wheels-{hashlib.sha256(lock.encode()).hexdigest()[:16]}"
    if not kept.is_dir():
        draft = cache() / "wheels.draft"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        (draft / "lock.txt").write_text(lock)
        chosen = [f"--platform={each}" for each in _PLATFORMS] + [f"--abi={each}" for each in _ABIS]
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:"]
        command += [
            f"--python-version={PYTHON}",
            "--implementation=cp",
            *chosen,
            "-r",
            str(draft / "lock.txt"),
            "-d",
            str(draft),
        ]
        subprocess.run(command, check=True)
        draft.rename(kept)
    for old in kept.glob("iamine_ai-*"):
        old.unlink()
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", kept, "-t", "wheel"], cwd=ROOT, check=True)
    shutil.copy(llama, kept)
    return kept


class Guest:
    """A running guest. `run` raises Failed with what the command said."""

    def __init__(self, folder: Path, work: Path) -> None:
        self.log = folder / "console.log"
        command = ["unshare", "--mount", "sh", "-c", ENTER, "sh", "--quiet", "--register=no", "--keep-unit", "--boot"]
        command += [f"--directory={tree()}", "--volatile=overlay", "--console=pipe", "--capability=CAP_NET_ADMIN"]
        command += [f"--bind-ro={work}:/work", "--resolv-conf=off", "--timezone=off", f"--machine=iamine-{os.getpid()}"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )  # fmt: skip
        self.leader = 0

    def wait_up(self) -> "Guest":
        """Until systemd has started everything."""
        self.leader = self.until(self._child, "systemd in the guest")
        self.until(lambda: self.run("systemctl is-system-running || true").strip() in {"running", "degraded"}, "started")
        return self

    def run(self, script: str, *, timeout_s: float = 180.0) -> str:
        """What the shell script says on stdout."""
        words = ["nsenter", "-t", str(self.leader), "-m", "-u", "-i", "-p", "-n", "-C", "--", "sh", "-euc", script]
        done = subprocess.run(words, capture_output=True, text=True, timeout=timeout_s, env=ENVIRONMENT, check=False)
        if done.returncode:
            raise Failed(f"{script}\n{done.stdout}{done.stderr}")
        return done.stdout

    def show(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.run(f"systemctl show --property={name} --value {unit}").strip()

    def until(self, look: Callable[[], Any], told: str, limit_s: float = START_S) -> Any:
        """The first true answer."""
        deadline = time.monotonic() + limit_s
        while True:
            try:
                if answer := look():
                    return answer
            except Failed:
                pass
            assert self.process.poll() is None, self.log.read_text(errors="replace")[-3000:]
            assert time.monotonic() < deadline, f"{told}: not within {limit_s:g} s"
            time.sleep(0.2)

    def end(self) -> None:
        """Pull its plug."""
        if self.leader:
            subprocess.run(["kill", "-KILL", str(self.leader)], check=False)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(20)

    def _child(self) -> int:
        found = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(found[0]) if found and Path(f"/proc/{found[0]}/comm").read_text().strip() == "systemd" else 0
