"""Make the figures of docs/performance.md again: every command that it names, one after the other (about a quarter of an hour).

    just bench all

With TMPDIR in memory (/dev/shm) where that is, so that the disk's speed is not in the pool's processor time.
"""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
MEMORY = Path("/dev/shm")
COMMANDS = (
    ("relay", "--rounds", "3", "--seconds", "1", "--connections", "1,64", "--kinds", "plain;stream", "--no-idle"),
    ("relay", "--rounds", "3", "--seconds", "1", "--connections", "64,256", "--only", "pool,nginx,aiohttp", "--no-idle"),
    ("relay", "--no-load"),
    ("storm",),
    ("decision",),
    ("disconnect",),
)


def main() -> int:
    memory = {"TMPDIR": str(MEMORY)} if MEMORY.is_dir() else {}
    failed = 0
    for name, *arguments in COMMANDS:
        print(f"\n$ just bench {name} {' '.join(arguments)}", flush=True)
        failed += subprocess.call([sys.executable, str(HERE / f"{name}.py"), *arguments], env=os.environ | memory) != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
