"""What the pool does under bad weather: a thousand workers that come back at once, floods, slow readers, monstrous bodies.

    just bench storm [--workers 1000] [--seconds 4] [--rounds 3] [--only flood,deep] [--json FILE]

An honest client asks over 8 connections all the time, with a key of its own; every answer is checked. The weather's makers
share the machine's cores with the pool, so each weather is made twice in each round, before a pool of its own as well: that
is the control, what the makers' and a pool's own use of the processors costs somebody who has nothing to do with them. Calm,
control and weather take turns; told are the medians of the rounds of the honest client's median and 99th percentile, the
latter beside the calm and beside the control, the pool's memory, and what the others were told.
"""

import argparse
import contextlib
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relay_parts.processes import Talker, Target, environment, pool, talking, workers
from relay_parts.tokens import MODEL, raise_open_files

STALLED_S = 5.0
CONFIG = f"stalled_client_s = {STALLED_S}\nper_key_concurrency = 64\n"
ATTACKS = {"flood": 200, "slow": 32, "big": 8, "deep": 8}
REST_S = 1.0  # between two turns: what was begun ends
CROWD_FROM = 1000  # the crowd's workers are numbered from here on


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A pool, a key for the others, and the crowd of idle workers before it."""

    target: Target
    others: str
    crowd: Talker | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One turn of the honest client; times in milliseconds."""

    p50_ms: float
    p99_ms: float
    memory_mb: float
    more: str = ""


def honest(target: Target, seconds: float) -> "contextlib.AbstractContextManager[Talker]":
    """The honest client, ready to ask."""
    asked = {"port": target.port, "key": target.key, "model": MODEL, "stream": True, "tokens": 16}
    asked |= {"connections": 8, "seconds": seconds, "pause_s": 0.2}
    return talking("relay_parts.load", json.dumps(asked))


def turn(target: Target, seconds: float, more: Any = None) -> Turn:
    """Let the honest client ask; `more` happens meanwhile and tells something."""
    with honest(target, seconds) as load:
        assert load.read() == "ready"
        load.write("go")
        told = "" if more is None else more()
        found: dict[str, Any] = json.loads(load.read())
    return Turn(p50_ms=1e3 * found["whole_p50_s"], p99_ms=1e3 * found["whole_p99_s"], memory_mb=target.memory_mb(), more=told)


def drop(crowd: Talker) -> str:
    """All of the crowd are cut and come back."""
    time.sleep(1)
    told = crowd.ask("drop")
    return "{joined} workers back after {took_s:.2f} s, the slowest connect took {slowest_connect_s:.2f} s".format(**told)


def weather(kind: str, site: Site, asked: Target, seconds: float) -> Turn:
    """The weather before the site, while the honest client asks the pool `asked`."""
    if kind == "storm":
        assert site.crowd is not None
        crowd = site.crowd
        return turn(asked, seconds, lambda: drop(crowd))
    with talking("relay_parts.attack", kind, str(site.target.port), site.others, str(ATTACKS[kind])) as attack:
        assert attack.read() == "ready"
        found = turn(asked, seconds + (STALLED_S if kind == "slow" else 0), lambda: "")
        told = f"{ATTACKS[kind]} connections: {json.dumps(attack.ask('told')['told'])}"
    return Turn(p50_ms=found.p50_ms, p99_ms=found.p99_ms, memory_mb=found.memory_mb, more=told)


def second_key(folder: Path) -> str:
    """An account for the others."""
    command = [sys.executable, "-m", "iamine", "account", "create", "others", "--json", "--data-dir", str(folder / "pool")]
    done = subprocess.run(command, capture_output=True, check=True, env=environment(), timeout=60)
    return str(json.loads(done.stdout)["api_key"])


@contextlib.contextmanager
def site(folder: Path, crowd: int) -> Iterator[Site]:
    """A pool with 8 workers that serve, and a crowd of idle ones if there is to be one."""
    folder.mkdir()
    with contextlib.ExitStack() as stack:
        target = stack.enter_context(pool(folder, limits=CONFIG))
        stack.enter_context(workers(target, 8, 64)).read()
        others = second_key(folder)
        idle = None
        if crowd:
            idle = stack.enter_context(workers(target, crowd, 4, first=CROWD_FROM))
            idle.read()
        yield Site(target=target, others=others, crowd=idle)


def weathers(folder: Path, kinds: list[str], options: argparse.Namespace) -> dict[str, dict[str, list[Turn]]]:
    """Of each weather the turns of calm, control and weather, round by round."""
    found: dict[str, dict[str, list[Turn]]] = defaultdict(lambda: defaultdict(list))
    crowd = options.workers if "storm" in kinds else 0
    with site(folder / "ours", crowd) as ours, site(folder / "control", crowd) as control:
        for number in range(options.rounds):
            for kind in kinds:
                print(f"\rround {number + 1}: {kind}     ", end="", file=sys.stderr)
                turns = found[kind]
                turns["calm"].append(turn(ours.target, options.seconds))
                turns["control"].append(weather(kind, control, ours.target, options.seconds))
                time.sleep(REST_S)
                turns["weather"].append(weather(kind, ours, ours.target, options.seconds))
                time.sleep(REST_S)
    print(file=sys.stderr)
    return found


def median(turns: list[Turn]) -> Turn:
    """The turns as one."""
    return Turn(
        p50_ms=statistics.median(one.p50_ms for one in turns),
        p99_ms=statistics.median(one.p99_ms for one in turns),
        memory_mb=max(one.memory_mb for one in turns),
        more=turns[-1].more,
    )


def table(found: dict[str, dict[str, list[Turn]]]) -> Iterator[str]:
    """A row for each weather."""
    yield "| weather | calm p50, p99 ms | control | weather | p99 x calm | p99 x control | memory MB | told |"
    yield "|---|---|---|---|---|---|---|---|"
    for kind, turns in found.items():
        calm, control, here = (median(turns[name]) for name in ("calm", "control", "weather"))
        times = [f"{one.p50_ms:.1f}, {one.p99_ms:.1f}" for one in (calm, control, here)]
        ratios = f"{here.p99_ms / calm.p99_ms:.2f} | {here.p99_ms / control.p99_ms:.2f}"
        yield f"| {kind} | {' | '.join(times)} | {ratios} | {here.memory_mb:.0f} | {here.more} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", type=lambda text: text.split(","), default=["storm", *ATTACKS])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # nothing that was started stays
    raise_open_files(8192)
    with tempfile.TemporaryDirectory(prefix="iamine-storm-") as name:
        found = weathers(Path(name), options.only, options)
    print("\n".join(table(found)))
    if options.json:
        told = {
            kind: {name: [[one.p50_ms, one.p99_ms] for one in turns] for name, turns in one.items()}
            for kind, one in found.items()
        }
        options.json.write_text(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
