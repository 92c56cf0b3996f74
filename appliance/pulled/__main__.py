"""`python -m appliance.pulled`: when the stick is gone, the data partition is let go, and the worker starts from memory."""

import json
import pwd
import sys
from pathlib import Path

from appliance.medium.files import write
from appliance.medium.kept import KEEP, OWNER, WORKER_DIR, restore
from appliance.medium.stick import LIVE_MEDIUM, StickError, tool
from appliance.pulled.verdict import MESSAGE, after

START = Path("/run/iamine/start.json")
DATA = Path("/var/lib/iamine")
BLOCK = Path("/sys/class/block")


def main() -> int:
    """0; nothing is done while the stick is there, or once it was done."""
    try:
        start = json.loads(START.read_bytes())
    except (OSError, ValueError):
        return 0
    told = after(start, {path.name for path in BLOCK.iterdir()})
    if told is None:
        return 0
    tool("systemctl", "stop", "iamine-worker.service")
    for mount in (DATA, Path(LIVE_MEDIUM)):
        if mount.is_mount() or _dead(mount):
            tool("umount", "--lazy", str(mount))
    _bring_back()
    write(START, json.dumps(told).encode() + b"\n")
    tool("systemctl", "start", "--no-block", "iamine-worker.service")
    sys.stderr.write(MESSAGE + "\n")
    return 0


def _dead(mount: Path) -> bool:
    """Whether it answers no more: a file system whose disk is gone."""
    try:
        next(mount.iterdir(), None)
    except OSError:
        return True
    return False


def _bring_back() -> None:
    """The worker's key and pins, as they were when the pool took it."""
    try:
        restore(KEEP, WORKER_DIR, pwd.getpwnam(OWNER).pw_uid)
    except OSError as error:
        sys.stderr.write(f"the worker gets a new identity: {error}\n")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except StickError as error:
        sys.exit(str(error))
