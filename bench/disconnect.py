"""How long a client's leaving holds its slot: close a stream in mid-answer, ask the pool until nothing runs.

    .venv/bin/python bench/disconnect.py [ROUNDS]

Starts a pool and a slow worker of its own on loopback. Prints the minimum, median and maximum in milliseconds; the
promise is 250. A wall-clock figure: on a busy machine it is too high, never too low.
"""

import contextlib
import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


@contextlib.contextmanager
def pool_and_worker(folder: Path) -> Iterator[tuple[int, str]]:
    """(port, API key) of a pool with one worker that writes 40 tokens a second."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    where = ["--data-dir", str(folder)]
    log = (folder / "log").open("wb")
    commands = [
        ["pool", "--port", str(port), *where],
        ["worker", "--auto", "--pool", f"http://127.0.0.1:{port}", "--max-tps", "40", "--data-dir", str(folder / "worker")],
    ]
    children = [subprocess.Popen([sys.executable, "-m", "iamine", *c], cwd=ROOT, stdout=log, stderr=log) for c in commands]
    try:
        while True:
            with contextlib.suppress(OSError, ValueError, KeyError):
                key = str(json.loads((folder / "client.json").read_text())["api_key"])
                if ask(port, key, "/v1/status")["workers"]:
                    break
            time.sleep(0.2)
        yield port, key
    finally:
        for child in reversed(children):
            child.send_signal(signal.SIGTERM)
            child.wait(20)


def ask(port: int, key: str, path: str) -> dict[str, Any]:
    """A GET's JSON."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
    answer: dict[str, Any] = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def leave(port: int, key: str, stream: bool) -> float:
    """Seconds from closing the client's connection to a free slot."""
    body = {"model": "mote", "stream": stream, "messages": [{"role": "user", "content": "count from 1 to 90"}]}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Authorization": f"Bearer {key}"})
    if stream:
        connection.getresponse().read1(10)
    while ask(port, key, "/v1/status")["running"] == 0:
        pass
    left = time.monotonic()
    if connection.sock is not None:
        connection.sock.close()
    connection.close()
    while ask(port, key, "/v1/status")["running"]:
        pass
    return time.monotonic() - left


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    print(f"load average {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder, pool_and_worker(Path(folder)) as (port, key):
        for stream in (True, False):
            took_ms = [1000 * leave(port, key, stream) for _ in range(rounds)]
            kind = "stream" if stream else "plain "
            print(f"{kind}  min {min(took_ms):5.0f}  median {statistics.median(took_ms):5.0f}  max {max(took_ms):5.0f} ms")


if __name__ == "__main__":
    main()
