"""kill -9 at fifty random moments: under the final name there is never anything but the whole, right file."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from fakes.fileserver import serving

from appliance.agent.fetch.landing import PART

KILLS = 50
SEED = 20261122
CONTENT = random.Random(2).randbytes(1 << 20)
SHA = hashlib.sha256(CONTENT).hexdigest()
LEAST_IN_MID_FILE = 5


class Victim:
    """A process that fetches on command."""

    def __init__(self, address: str, folder: Path) -> None:
        command = [sys.executable, str(Path(__file__).with_name("victim.py")), address, str(folder), str(len(CONTENT)), SHA]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self) -> int:
        """Say something, hear a number."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def close(self) -> None:
        """End it."""
        self.process.communicate(timeout=60)


def test_fifty_kills_leave_no_corrupt_file(tmp_path: Path) -> None:
    target = tmp_path / SHA / "m.gguf"
    part = target.with_name(target.name + PART)
    draw, killed, resumed = random.Random(SEED), 0, 0
    with serving(CONTENT, pause_s=0.002) as server:
        victim = Victim(server.address, tmp_path)
        whole_s = 0.0
        for _ in range(2):  # the first time its imports count too
            began = time.monotonic()
            victim.ask()
            assert victim.ask() == 0
            whole_s = time.monotonic() - began
            target.unlink()
        server.moods = ["drop", "wrong bytes"] * 3
        deadline = time.monotonic() + 300
        while killed < KILLS:
            assert time.monotonic() < deadline
            resumed += part.exists() and 0 < part.stat().st_size < len(CONTENT)
            pid = victim.ask()
            time.sleep(draw.uniform(0, whole_s))
            os.kill(pid, signal.SIGKILL)
            killed += victim.ask() == signal.SIGKILL
            if target.exists():
                assert hashlib.sha256(target.read_bytes()).hexdigest() == SHA
                target.unlink()
        server.moods = []
        victim.ask()
        assert victim.ask() == 0
        victim.close()
    assert target.read_bytes() == CONTENT
    assert resumed >= LEAST_IN_MID_FILE, "the kills came too early or too late"
