"""The worker's identity held in memory, for a machine whose stick is pulled out."""

import os
from pathlib import Path

from appliance.medium.files import write

OWNER = "iamine"
WORKER_DIR = Path("/var/lib/iamine/worker")
KEEP = Path("/run/iamine/identity")
NAMES = ("worker.key", "pool.json", "found-pool.json")  # the key, the pools' keys that were pinned, the pool that was found


def hold(worker: Path, keep: Path) -> None:
    """Copy what there is, for root's eyes only. Raises OSError."""
    keep.mkdir(parents=True, exist_ok=True)
    keep.chmod(0o700)
    for name in NAMES:
        if (worker / name).exists():
            write(keep / name, (worker / name).read_bytes(), 0o600)


def restore(keep: Path, worker: Path, owner: int) -> None:
    """Put it back into a folder that may be new, for its owner only; what is there stays. Raises OSError."""
    worker.mkdir(parents=True, exist_ok=True)
    os.chown(worker, owner, owner)
    worker.chmod(0o700)
    for name in NAMES:
        if (keep / name).exists() and not (worker / name).exists():
            write(worker / name, (keep / name).read_bytes(), 0o600)
            os.chown(worker / name, owner, owner)
