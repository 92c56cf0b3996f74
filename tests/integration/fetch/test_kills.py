"""kill -9 at random moments, of a server that fails in every way: under the final name is never anything but the right file.

IAMINE_FETCH_KILLS says how many kills; `just torture` asks for more of them.
"""

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from fakes.fileserver import MOODS, FileServer, serving

from appliance.agent.fetch.landing import PART

KILLS = int(os.environ.get("IAMINE_FETCH_KILLS", "6"))
SEED = 20261122
CONTENT = random.Random(2).randbytes(1 << 20)
SHA = hashlib.sha256(CONTENT).hexdigest()
LEAST_IN_MID_FILE = max(1, KILLS // 10)
PATIENCE_S = 120 + 10 * KILLS
LAST_MOODS = ("drop", "wrong bytes", "redirects", "changes", "says too long", "changes", "wrong range", "no ranges")


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

    def fetch(self) -> int:
        """How a whole fetch ended."""
        self.ask()
        return self.ask()

    def close(self) -> None:
        """End it."""
        self.process.communicate(timeout=60)


@dataclass(kw_only=True)
class Torture:
    """A victim, its server and what became of the kills."""

    victim: Victim
    server: FileServer
    target: Path
    draw: random.Random = field(default_factory=lambda: random.Random(SEED))
    killed: int = 0
    in_mid_file: int = 0
    landed: int = 0

    @property
    def part(self) -> Path:
        return self.target.with_name(self.target.name + PART)

    def measure(self) -> float:
        """Seconds of an undisturbed fetch; the first one's imports do not count."""
        for _ in range(2):
            began = time.monotonic()
            assert self.victim.fetch() == 0
            whole_s = time.monotonic() - began
            self.target.unlink()
        return whole_s

    def kill(self, whole_s: float) -> None:
        """Kill one fetch at a random moment, or, each second time, when a random share of the file is there."""
        self.server.content, self.server.later = CONTENT, CONTENT[::-1]
        self.server.moods = self.draw.choices(MOODS, k=4) if self.killed % 3 else []  # undisturbed ones die while they land
        pid, moment_s = self.victim.ask(), self.draw.uniform(0, whole_s)
        self.await_share(self.draw.random(), 2 * whole_s) if self.killed % 2 else time.sleep(moment_s)
        os.kill(pid, signal.SIGKILL)
        self.killed += self.victim.ask() == signal.SIGKILL
        self.in_mid_file += 0 < size(self.part) < len(CONTENT)
        self.judge()

    def await_share(self, share: float, patience_s: float) -> None:
        deadline = time.monotonic() + patience_s
        while size(self.part) < share * len(CONTENT) and time.monotonic() < deadline:
            time.sleep(0.001)

    def judge(self) -> None:
        """What lies under the final name is right; it makes place for the next."""
        if self.target.exists():
            assert hashlib.sha256(self.target.read_bytes()).hexdigest() == SHA
            self.target.unlink()
            self.landed += 1

    def finish(self) -> int:
        """How many fetches it takes to have the file, from a server that goes on failing for a while."""
        self.server.content, self.server.later, self.server.moods = CONTENT, CONTENT[::-1], list(LAST_MOODS)
        return next(count for count in range(1, len(LAST_MOODS) + 2) if self.victim.fetch() == 0)


def size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def test_kills_leave_no_corrupt_file_and_the_fetch_is_finished_in_the_end(tmp_path: Path) -> None:
    with serving(CONTENT, pause_s=0.002) as server:
        torture = Torture(victim=Victim(server.address, tmp_path), server=server, target=tmp_path / SHA / "m.gguf")
        whole_s, deadline = torture.measure(), time.monotonic() + PATIENCE_S
        while torture.killed < KILLS:
            assert time.monotonic() < deadline
            torture.kill(whole_s)
        tries = torture.finish()
        torture.victim.close()
    print(f"{KILLS} kills, {torture.in_mid_file} in mid-file, {torture.landed} after it had landed; finished by fetch {tries}")
    assert torture.target.read_bytes() == CONTENT
    assert torture.in_mid_file >= LEAST_IN_MID_FILE, "the kills came too early or too late"
