"""`iamine units`: a worker's systemd units for this installation; `--install` puts them where systemd looks for them."""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from appliance.agent.errors import ConfigError

SOURCE = Path(__file__).parents[1] / "rootfs" / "usr" / "lib"
NAMES = ("iamine-worker.service", "iamine-engine.service", "iamine-engine.socket")
IMAGE_PYTHON = "/usr/lib/iamine/venv/bin/python"  # where the stick has it
HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108 - from a unit, by ProtectHome= and PrivateTmp=
FOLDERS = "d /var/lib/iamine 0755 root root\nd /var/lib/iamine/models 0750 iamine iamine\n"
AFTER = (
    ("systemd-sysusers", "/etc/sysusers.d/iamine.conf"),
    ("systemd-tmpfiles", "--create", "/etc/tmpfiles.d/iamine.conf"),
    ("systemctl", "daemon-reload"),
)
NEXT = """Name the pool in /var/lib/iamine/worker/worker.toml: pool = "http://HOST:PORT" (without it, one is looked for on the
local network). Then: systemctl enable --now iamine-worker.service
"""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `units`."""
    about = "a worker's systemd units for this installation"
    parser = subparsers.add_parser("units", help=about, description=__doc__)
    parser.add_argument("--install", action="store_true", help="write them (as root) instead of showing them")
    parser.add_argument(
        "--root", metavar="DIR", type=Path, default=Path("/"), help="install below this folder, and start nothing"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show the units, or install them. Raises ConfigError."""
    made = files(sys.executable)
    if not args.install:
        for path, text in made.items():
            sys.stdout.write(f"# {path}\n{text}\n")
        return 0
    if problem := unseen(Path(sys.executable)):
        hint = (
            "install there: python3 -m venv /opt/iamine && /opt/iamine/bin/pip install iamine-ai; then its own `iamine units`"
        )
        raise ConfigError(problem, hint=hint)
    install(made, args.root)
    if args.root == Path("/"):
        settle()
        sys.stdout.write(NEXT)
    return 0


def files(python: str, source: Path = SOURCE) -> Mapping[str, str]:
    """Path and text of all that belongs to a server's worker, run by this interpreter."""
    units = {f"/etc/systemd/system/{name}": source / "systemd" / "system" / name for name in NAMES}
    texts = {path: rendered(unit.read_text(), python) for path, unit in units.items() if unit.exists()}
    users = (source / "sysusers.d" / "iamine.conf").read_text()
    return texts | {"/etc/sysusers.d/iamine.conf": users, "/etc/tmpfiles.d/iamine.conf": FOLDERS}


def rendered(unit: str, python: str) -> str:
    """The unit with this interpreter; blanks and % are written as systemd reads them (systemd.syntax(7), .unit(5))."""
    return unit.replace(IMAGE_PYTHON, python.replace("\\", "\\\\").replace("%", "%%").replace(" ", "\\x20"))


def unseen(python: Path) -> str:
    """Why a unit could not start this interpreter; "" if nothing speaks against it."""
    for hidden in HIDDEN:
        if python.is_relative_to(hidden):
            return f"systemd's units do not see {python}: what lies below {hidden} is hidden from them"
    closed = [folder for folder in python.parents if folder.exists() and not folder.stat().st_mode & 0o001]
    return f"the user iamine cannot reach {python}: {closed[0]} is closed to others" if closed else ""


def install(made: Mapping[str, str], root: Path) -> None:
    """Write the files below `root`. Raises ConfigError when that may not be."""
    try:
        for path, text in made.items():
            target = root / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
            sys.stdout.write(f"wrote {target}\n")
    except OSError as error:
        raise ConfigError(f"{target}: {error.strerror}", hint="run it as root: sudo " + " ".join(sys.argv)) from error


def settle() -> None:
    """Make the user and the folders, and let systemd read the units. Raises ConfigError."""
    for command in AFTER:
        if shutil.which(command[0]) is None:
            raise ConfigError(
                f"there is no {command[0]} here", hint="systemd runs these units; on a machine without it use iamine worker"
            )
        done = subprocess.run(command, check=False, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
        if done.returncode:
            raise ConfigError(f"{' '.join(command)}: {done.stderr.strip()}", hint="correct that, then the same command again")
