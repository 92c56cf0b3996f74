"""What the pool does under bad weather: a thousand workers that come back at once, floods, slow readers, monstrous bodies.

    just bench storm [--workers 1000] [--seconds 8] [--json FILE]

An honest client asks over 8 connections all the time, with a key of its own; every answer is checked. Told for each
weather: his median and 99th percentile beside the calm before it, the pool's memory, and what the others were told.
The weather's own makers share the machine's cores with the pool: on two cores the percentiles are an upper bound.
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from relay_parts.processes import Talker, Target, environment, pool, talking, workers
from relay_parts.tokens import MODEL, raise_open_files

STALLED_S = 5.0
CONFIG = f"stalled_client_s = {STALLED_S}\nper_key_concurrency = 64\n"
ATTACKS = {"flood": 200, "slow": 32, "big": 8, "deep": 8}


def honest(target: Target, seconds: float) -> dict[str, Any]:
    """The honest client's asking, and the pool's memory after it."""
    asked = {"port": target.port, "key": target.key, "model": MODEL, "stream": True, "tokens": 16}
    asked |= {"connections": 8, "seconds": seconds, "pause_s": 0.2}
    with talking("relay_parts.load", json.dumps(asked)) as load:
        assert load.read() == "ready"
        return load.ask("go")


def shown(name: str, calm: dict[str, Any], found: dict[str, Any], memory_mb: float, more: str) -> str:
    """A line of the table."""
    p50, p99 = 1e3 * found["whole_p50_s"], 1e3 * found["whole_p99_s"]
    times = found["whole_p99_s"] / calm["whole_p99_s"]
    return f"{name:>8}: p50 {p50:7.1f} ms  p99 {p99:7.1f} ms ({times:.2f} x calm)  {memory_mb:6.1f} MB  {more}"


def storm(target: Target, crowd: Talker, seconds: float) -> tuple[dict[str, Any], str]:
    """All of the crowd are cut and come back, in the midst of the honest client's asking."""
    asked = {"port": target.port, "key": target.key, "model": MODEL, "stream": True, "tokens": 16}
    asked |= {"connections": 8, "seconds": seconds, "pause_s": 0.2}
    with talking("relay_parts.load", json.dumps(asked)) as load:
        assert load.read() == "ready"
        load.write("go")
        time.sleep(1)
        told = crowd.ask("drop")
        found: dict[str, Any] = json.loads(load.read())
    return found, "{joined} workers back after {took_s:.2f} s, the slowest connect took {slowest_connect_s:.2f} s".format(
        **told
    )


def second_key(folder: Path) -> str:
    """An account for the others."""
    command = [sys.executable, "-m", "iamine", "account", "create", "others", "--json", "--data-dir", str(folder / "pool")]
    done = subprocess.run(command, capture_output=True, check=True, env=environment(), timeout=60)
    return str(json.loads(done.stdout)["api_key"])


def weathers(folder: Path, options: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any], float, str]]:
    """Each weather with what it did."""
    with pool(folder, limits=CONFIG) as target, workers(target, 8, 64) as serving:
        serving.read()
        key = second_key(folder)
        yield "calm", honest(target, options.seconds), target.memory_mb(), ""
        with workers(target, options.workers, 4, first=1000) as crowd:
            crowd.read()
            found, more = storm(target, crowd, options.seconds)
            yield "storm", found, target.memory_mb(), more
        for kind, connections in ATTACKS.items():
            with talking("relay_parts.attack", kind, str(target.port), key, str(connections)) as attack:
                assert attack.read() == "ready"
                found = honest(target, options.seconds + (STALLED_S if kind == "slow" else 0))
                yield kind, found, target.memory_mb(), f"{connections} connections: {attack.ask('told')}"
            time.sleep(1)
        yield "after", honest(target, options.seconds), target.memory_mb(), ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # nothing that was started stays
    raise_open_files(8192)
    calm: dict[str, Any] | None = None
    told = []
    with tempfile.TemporaryDirectory(prefix="iamine-storm-") as name:
        for weather, found, memory_mb, more in weathers(Path(name), options):
            calm = calm or found
            print(shown(weather, calm, found, memory_mb, more), flush=True)
            told.append({"weather": weather, "memory_mb": memory_mb, "more": more, **found})
    if options.json:
        options.json.write_text(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
