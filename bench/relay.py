"""What the pool's own work costs: processor time per request and token, time to the first token, memory; beside others.

    just bench relay [--seconds 2] [--rounds 3] [--connections 1,64,256] [--only pool,nginx] [--json FILE] [--no-idle]

The real pool (embedded PostgreSQL, keys checked) with instant fake workers on the real wire; LiteLLM's proxy, nginx and
a hand-written aiohttp proxy before a mock that writes the same tokens. Everyone's turns are interleaved, every answer
is checked token by token, and the median of the rounds is told. Processor seconds, so that a busy machine matters little.
"""

import argparse
import contextlib
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from relay_parts import peers
from relay_parts.processes import Target, pool, talking, workers
from relay_parts.tokens import MODEL, MODELS, PACED, WHOLE, raise_open_files

WORKERS, SLOTS = 8, 64
IDLE = (1_000, 5_000, 10_000)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of load: what is asked for."""

    name: str
    model: str
    stream: bool
    tokens: int


KINDS = (
    Kind("plain", WHOLE, False, 16),  # the engine has it all at once
    Kind("plain, stepwise", MODEL, False, 16),  # a frame per token on the wire
    Kind("stream", MODEL, True, 64),  # as fast as it goes
    Kind("stream, paced", PACED, True, 64),  # 50 tokens a second: nothing can be merged
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One server under one load: microseconds of processor per request and token, milliseconds to the first token."""

    server: str
    kind: str
    connections: int
    request_us: float
    token_us: float
    database_us: float
    ttft_ms: float
    whole_ms: float
    memory_mb: float
    requests: int


def measure(target: Target, kind: Kind, connections: int, seconds: float) -> Found:
    """One turn."""
    asked = {
        "port": target.port,
        "key": target.key,
        "model": kind.model,
        "stream": kind.stream,
        "tokens": kind.tokens,
        "connections": connections,
        "seconds": seconds,
    }
    with talking("relay_parts.load", json.dumps(asked)) as load:
        assert load.read() == "ready"
        before = target.used()
        told = load.ask("go")
        used = target.used() - before
        memory_mb = target.memory_mb()
    requests = told["requests"]
    return Found(
        server=target.name,
        kind=kind.name,
        connections=connections,
        request_us=1e6 * used.own_s / requests,
        token_us=1e6 * used.own_s / told["tokens"],
        database_us=1e6 * used.database_s / requests,
        ttft_ms=1e3 * told["ttft_p50_s"],
        whole_ms=1e3 * told["whole_p50_s"],
        memory_mb=memory_mb,
        requests=requests,
    )


def median(rounds: list[Found]) -> Found:
    """The rounds as one, figure by figure."""
    first = asdict(rounds[0])
    figures = {
        name: statistics.median(asdict(one)[name] for one in rounds) for name in first if name[-3:] in ("_us", "_ms", "_mb")
    }
    return Found(**{**first, **figures, "requests": sum(one.requests for one in rounds)})


@contextlib.contextmanager
def servers(folder: Path, only: set[str]) -> Iterator[list[Target]]:
    """All that can be had here."""
    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        direct = enter(peers.mock(folder))
        found: list[Target | None] = [direct]
        if "pool" in only:
            target = enter(pool(folder))
            enter(workers(target, WORKERS, SLOTS)).read()
            found.append(target)
        if "nginx" in only:
            found.append(enter(peers.nginx(folder, direct.port)))
        if "aiohttp" in only:
            found.append(enter(peers.aiohttp(folder, direct.port)))
        if "litellm" in only:
            found.append(enter(peers.litellm(folder, direct.port, MODELS)))
        yield [one for one in found if one is not None]


def relay(options: argparse.Namespace, folder: Path) -> list[Found]:
    """Every server under every load, round by round."""
    kinds = [kind for kind in KINDS if not options.kinds or kind.name in options.kinds]
    rounds: dict[tuple[str, str, int], list[Found]] = defaultdict(list)
    with servers(folder, set(options.only)) as targets:
        for number in range(options.rounds):
            for kind in kinds:
                for connections in options.connections:
                    for target in targets:
                        found = measure(target, kind, connections, options.seconds)
                        rounds[target.name, kind.name, connections].append(found)
                        print(f"\rround {number + 1}: {target.name}, {kind.name}, {connections}      ", end="", file=sys.stderr)
    print(file=sys.stderr)
    return [median(one) for one in rounds.values()]


def idle(folder: Path, counts: tuple[int, ...], seconds: float) -> list[dict[str, float]]:
    """Memory and processor time with so many idle workers, a heartbeat each 15 s."""
    found = []
    if raise_open_files(counts[-1] + 1000) < counts[-1] + 500:
        counts = tuple(count for count in counts if count <= 1_000)
        print(f"idle workers: at most {counts[-1]} here, the limit of open files is too low (ulimit -n)", file=sys.stderr)
    with pool(folder) as target, workers(target, 0, 4) as fakes:
        fakes.read()
        empty_mb, had = target.memory_mb(), 0
        for count in counts:
            joined = fakes.ask(f"more {count - had}")
            had = count
            time.sleep(2)
            before = target.used()
            time.sleep(seconds)
            used = target.used() - before
            found.append(
                {
                    "workers": count,
                    "memory_mb": target.memory_mb(),
                    "empty_mb": empty_mb,
                    "core_percent": 100 * used.own_s / seconds,
                    "joined_s": joined["took_s"],
                }
            )
    return found


def told(found: list[Found]) -> Iterator[str]:
    """The table, by kind and connections."""
    columns = ("server", "us/request", "us/token", "database us/request", "TTFT ms", "whole ms", "MB", "requests")
    direct = {(one.kind, one.connections): one for one in found if one.server == "direct"}
    for (kind, connections), base in direct.items():
        yield f"\n{kind}, {connections} connection{'s' * (connections > 1)}"
        yield "".join(f"{column:>20}" for column in columns)
        for one in found:
            if (one.kind, one.connections) == (kind, connections):
                values = (one.server, one.request_us, one.token_us, one.database_us, one.ttft_ms, one.whole_ms, one.memory_mb)
                row = "".join(f"{v:>20.2f}" if isinstance(v, float) else f"{v:>20}" for v in values)
                more = (
                    f"   +{one.ttft_ms - base.ttft_ms:.2f} ms to the first token"
                    if "stream" in kind and one is not base
                    else ""
                )
                yield f"{row}{one.requests:>20}{more}"


def ratios(found: list[Found]) -> Iterator[str]:
    """Beside the aims of the project."""
    by = {(one.server, one.kind, one.connections): one for one in found}
    for (server, kind, connections), ours in by.items():
        if server != "pool":
            continue
        for peer in ("litellm", "nginx", "aiohttp"):
            other = by.get((peer, kind, connections))
            if other is not None:
                times = other.request_us / ours.request_us
                words = f"{times:.1f} x cheaper than" if times >= 1 else f"{1 / times:.1f} x dearer than"
                yield f"{kind:>16}, {connections:>3} connections: {words} {peer}"


def machine() -> dict[str, Any]:
    """Where it ran."""
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), ""
    )
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "python": sys.version.split()[0],
        "load": os.getloadavg(),
        "at": time.strftime("%F"),
    }


def words(text: str) -> list[str]:
    return text.split(",")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=lambda text: [int(n) for n in words(text)], default=[1, 64, 256])
    parser.add_argument("--only", type=words, default=["pool", "nginx", "aiohttp", "litellm"])
    parser.add_argument("--kinds", type=lambda text: text.split(";"), default=[])
    parser.add_argument("--no-idle", action="store_true")
    parser.add_argument("--no-load", action="store_true")
    parser.add_argument("--idle-seconds", type=float, default=30.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # nothing that was started stays
    about = machine()
    print(about)
    with tempfile.TemporaryDirectory(prefix="iamine-relay-") as name:
        found = [] if options.no_load else relay(options, Path(name))
        rested = []
        if not options.no_idle:
            folder = Path(name) / "idle"
            folder.mkdir()
            rested = idle(folder, IDLE, options.idle_seconds)
    print("\n".join(told(found)))
    print("\n".join(ratios(found)))
    for one in rested:
        print(
            "{workers:>6} idle workers: {memory_mb:6.1f} MB ({empty_mb:.1f} without), {core_percent:.2f} % of a core".format(
                **one
            )
        )
    if options.json:
        options.json.write_text(
            json.dumps({"machine": about, "relay": [asdict(one) for one in found], "idle": rested}, indent=1)
        )


if __name__ == "__main__":
    main()
