"""The data folder, the worker's key, the clock by itself, and systemd's unit where there is one."""

import contextlib
import os
import secrets
import subprocess
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path

from appliance.agent.doctor.check import Check, fail, ok, warn
from appliance.agent.fit import gigabytes

DISK_BYTES = 1 << 30
TRIAL_BYTES = 1 << 20
SYSTEMCTL_S = 10.0
UNIT = "iamine-worker.service"
UNIT_COMMAND = ("systemctl", "show", UNIT, "--property=LoadState,ActiveState,SubState,Result,NRestarts")
EARLIEST = datetime(2026, 11, 1, tzinfo=timezone.utc)  # when this check was written: no clock before it is right
MANY_RESTARTS = 3


def folder(name: str, path: Path, free: Callable[[Path], int | None]) -> Check:
    """Whether this folder is ours alone, takes what is written, and has room."""
    advice = f"make it yours alone: mkdir -p {path}; chmod 700 {path}; or name another with --data-dir"
    where = next((each for each in (path, *path.absolute().parents) if each.exists()), Path("/"))
    if not where.is_dir():
        return fail(name, f"{where} is no folder", advice)
    if path.exists() and path.stat().st_mode & 0o022:
        return fail(name, f"others may write into {path}", advice)
    if problem := refuses(where):
        return fail(name, f"{where} cannot be written: {problem}", "make room or the right to it, or name another --data-dir")
    free_bytes = free(where)
    later = "" if path.exists() else " (made at the first start)"
    if free_bytes is None:
        return ok(name, f"{path}{later}")
    if free_bytes < DISK_BYTES:
        return warn(name, f"only {gigabytes(free_bytes)} free in {path}", "make room, or name another folder with --data-dir")
    return ok(name, f"{path}{later}, {gigabytes(free_bytes)} free")


def refuses(where: Path) -> str:
    """Why a megabyte cannot be written here and kept; "" when it can."""
    trial = where / f".iamine-doctor-{secrets.token_hex(4)}"
    try:
        with trial.open("xb") as file:
            file.write(bytes(TRIAL_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return (error.strerror or str(error)).lower()
    finally:
        with contextlib.suppress(OSError):  # not made, or not to be removed where nothing may be written
            trial.unlink()
    return ""


def key(path: Path) -> Check:
    """Whether the worker's key is for its owner only."""
    if not path.exists():
        return ok("worker key", f"{path} (made at the first start)")
    if path.stat().st_mode & 0o077:
        return fail("worker key", f"others may read {path}", f"chmod 600 {path}")
    if not os.access(path, os.R_OK):
        return fail("worker key", f"this user may not read {path}", "run doctor as the worker's user, or as root")
    return ok("worker key", str(path))


def clock(now: datetime) -> Check:
    """Whether the clock can be right at all; against the pool's it is compared later."""
    if now < EARLIEST:
        return fail("clock", f"it says {now:%Y-%m-%d %H:%M}", "set it: timedatectl set-ntp true; certificates fail like this")
    return ok("clock", f"{now:%Y-%m-%d %H:%M %Z}")


def ports() -> Check:
    """What people ask for, and what is not needed."""
    return ok("ports", "none has to be open: a worker only calls out")


def unit(command: tuple[str, ...] = UNIT_COMMAND, environ: Mapping[str, str] = os.environ) -> Iterator[Check]:
    """How systemd's unit is, on a machine that has it."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SYSTEMCTL_S, check=False, env={**environ, "LC_ALL": "C"}
        )
    except (OSError, subprocess.TimeoutExpired):
        return
    told = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    if told.get("LoadState") == "loaded":
        yield state(told)


def state(told: Mapping[str, str]) -> Check:
    """The verdict on a unit's properties (systemctl show)."""
    active, found = told.get("ActiveState", ""), f"{UNIT} is {told.get('ActiveState')} ({told.get('SubState')})"
    log = f"journalctl -u {UNIT} -n 30 says why"
    if active == "failed" or told.get("SubState") == "auto-restart":
        return fail("systemd", f"{found}: {told.get('Result')}", log)
    if active != "active":
        return warn("systemd", found, f"systemctl enable --now {UNIT} starts it, now and at every start of the machine")
    restarts = told.get("NRestarts", "0")
    if restarts.isdigit() and int(restarts) >= MANY_RESTARTS:
        return warn("systemd", f"{found}, started anew {restarts} times", log)
    return ok("systemd", found)
