"""Steps under time limits: each one's result is a line in results.jsonl at once, so that a run cut off keeps what it has."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class OutOfTime(Exception):
    """The step's limit, or the whole run's, is reached."""


@dataclass(slots=True, kw_only=True)
class Run:
    """The folder for results and how long there is, in seconds of `time.monotonic`."""

    out: Path
    until: float
    began: float = field(default_factory=time.monotonic)

    def tell(self, step: str, **values: Any) -> None:
        """Writes a result down and shows it."""
        line = json.dumps({"at_s": round(time.monotonic() - self.began, 1), "step": step, **values})
        with (self.out / "results.jsonl").open("a") as file:
            file.write(line + "\n")
        print(line, flush=True)

    def step(self, name: str, limit_s: float, work: Callable[[], None]) -> None:
        """Does the work unless there is no time left; what goes wrong is told and does not end the run."""
        left = min(limit_s, self.until - time.monotonic())
        if left < 2:
            self.tell(name, skipped="no time left")
            return
        began = time.monotonic()
        try:
            with alarm(left):
                work()
        except OutOfTime:
            self.tell(name, failed=f"not done within {left:.0f} s")
        except Exception as error:  # noqa: BLE001  # the next step may work
            self.tell(name, failed=f"{type(error).__name__}: {str(error)[-1500:]}")
        else:
            self.tell(name, took_s=round(time.monotonic() - began, 1))

    def command(self, name: str, words: list[str], *, environ: dict[str, str] | None = None) -> str:
        """Runs it, logs what it says on stderr, returns its output; its lines of JSON are told. Raises RuntimeError."""
        with (self.out / "log.txt").open("ab") as log:
            log.write(f"\n==== {name}: {' '.join(words)}\n".encode())
            log.flush()
            with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, env={**os.environ, **(environ or {})}) as process:
                output = self._heard(name, process)
        if process.returncode != 0:
            raise RuntimeError(f"status {process.returncode}: {output[-500:]}")
        return output

    def _heard(self, name: str, process: "subprocess.Popen[bytes]") -> str:
        assert process.stdout is not None, "it is a pipe"
        heard = []
        try:
            for raw in process.stdout:
                heard.append(raw.decode(errors="replace"))
                if heard[-1].startswith('{"'):
                    self.tell(name, **json.loads(heard[-1]))
            process.wait()
        except OutOfTime:
            process.kill()
            raise
        return "".join(heard)


@contextmanager
def alarm(limit_s: float) -> Iterator[None]:
    """Raises OutOfTime in the main thread when the time is over."""

    def ring(number: int, frame: object) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


PYTHON = sys.executable
