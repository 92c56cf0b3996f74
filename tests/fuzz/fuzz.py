"""Wrong frames, requests and files at length: `just fuzz [NAME] [SECONDS]` (api, door, http, link, files: other seeds).

Each round is the test of `just test`, ten times as long; what fails is told with its seed, by which it can be had again.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
ROUNDS = {
    "api": "test_api.py",
    "door": "test_worker_door.py",
    "http": "test_http.py",
    "link": "test_agent_link.py",
    "files": "test_files.py",
}
LONG = {
    "IAMINE_FUZZ_EXAMPLES": "100",
    "IAMINE_FUZZ_FRAMES": "40000",
    "IAMINE_FUZZ_REQUESTS": "5000",
    "IAMINE_FUZZ_FILES": "5000",
}


def rounds(name: str, seconds: float) -> bool:
    """Whether every round passed; at least one is made."""
    deadline, seed = time.monotonic() + seconds, int(time.time())
    while True:
        print(f"{name}: IAMINE_FUZZ_SEED={seed}", flush=True)
        environ = {**LONG, **os.environ, "IAMINE_FUZZ_SEED": str(seed)}
        command = [sys.executable, "-m", "pytest", "-q", "-s", "-x", "-p", "no:cacheprovider", str(HERE / ROUNDS[name])]
        if subprocess.run(command, env=environ, check=False).returncode:
            return False
        seed += 1
        if time.monotonic() >= deadline:
            return True


def main(name: str, seconds: str) -> int:
    names = [name] if name else list(ROUNDS)
    if unknown := [each for each in names if each not in ROUNDS]:
        print(f"error: there is no {unknown[0]}\ntry: {', '.join(ROUNDS)}", file=sys.stderr)
        return 2
    failed = [each for each in names if not rounds(each, float(seconds))]
    print(f"failed: {', '.join(failed)}" if failed else "nothing broke")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
