"""Tokens per CPU-second of this engine beside llama_cpp.Llama and llama-server's core, in one run: turns taken, same file.

    just bench engine [--kinds Q4_0,Q8_0] [--sequences 1,4,8,16] [--tokens 64] [--rounds 3] [--sampling greedy] [--json]
    just bench engine --libraries FOLDER    # also with other builds of llama.cpp (bench/gpu_parts/build makes one)
    just bench engine --guess --tokens 128  # answers that copy their prompt
    just bench engine --prefix              # a second prompt with the same beginning, against the first one

The processor time of the process that answers is counted (user and system, all of its threads), so other work on the machine
matters little; the rounds of all contenders alternate and the best of a contender's rounds counts. The file is made by
bench/engine_model.py: 227 M parameters with the vocabulary of Qwen3. xllamacpp is installed into a folder for caches.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

sys.path.insert(0, str(Path(__file__).parent))

from engine_parts import copying
from engine_parts.asked import GREEDY, NOTHING, SAMPLED, Asked, Cost, prompts
from engine_parts.child import Child
from engine_parts.http_server import HttpServer
from engine_parts.ours import Ours, Setting
from relay_parts.peers import installed

SHAPE = ("16", "768", "{kind}", "151936", "4")
MODELS = Path(os.environ.get("IAMINE_BENCH_CACHE", Path(tempfile.gettempdir()) / "iamine-bench")) / "models"
CONTEXT = 1024


class Contender(Protocol):
    """Whatever answers prompts."""

    name: str

    def run(self, asked: Asked) -> Cost: ...
    def close(self) -> None: ...


def model(kind: str) -> Path:
    """The file of this kind, made when it is missing."""
    path = MODELS / f"random-{kind}.gguf"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        maker = [sys.executable, str(Path(__file__).with_name("engine_model.py")), str(path) + ".part"]
        subprocess.run([*maker, *(part.format(kind=kind) for part in SHAPE)], check=True, stdout=sys.stderr)
        Path(str(path) + ".part").rename(path)
    return path


def contenders(path: Path, options: argparse.Namespace) -> dict[str, Callable[[], Contender]]:
    """Names and how each begins."""
    wanted = {"slots": max(options.sequences), "context_tokens": CONTEXT, "threads": options.threads}
    child = {**wanted, "gpu_layers": 0}
    found: dict[str, Callable[[], Contender]] = {}
    for exact, folder in itertools.product((False, True), (None, *options.libraries)):
        name = f"engine{', exact' if exact else ''}{f', {folder.parent.name}' if folder else ''}"
        setting = Setting(**wanted, exact=exact, libraries=folder)
        found[name] = lambda name=name, setting=setting: Ours(path, setting, name=name)  # type: ignore[misc]
    for folder in options.libraries:
        name, program = f"llama-server, {folder.parent.name}", folder / "llama-server"
        log = Path(tempfile.gettempdir()) / f"iamine-bench-{folder.parent.name}.log"
        if program.exists():
            found[name] = lambda name=name, program=program, log=log: HttpServer(  # type: ignore[misc]
                program, path, Setting(**wanted), name=name, log=log
            )
    peer = installed("xllamacpp")
    for stream in (False, True) if peer else ():
        name = f"llama-server's core{', streamed' if stream else ''}"
        found[name] = lambda name=name, stream=stream: Child(  # type: ignore[misc]
            "server", peer, path, {**child, "stream": stream}, name=name
        )
    found["Llama, one by one"] = lambda: Child("serial", Path(sys.executable), path, child, name="Llama, one by one")
    return {name: begin for name, begin in found.items() if any(only in name for only in options.only)}


def compared(path: Path, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A row for each contender and number of sequences."""
    with ExitStack() as stack:
        all_of_them = []
        for begin in contenders(path, options).values():
            all_of_them.append(begin())
            stack.callback(all_of_them[-1].close)
        first = 0
        for at_once in options.sequences:
            costs: dict[str, list[Cost]] = {each.name: [] for each in all_of_them}
            for _ in range(options.rounds):
                texts = prompts(at_once, first)
                first += at_once
                asked = Asked(prompts=texts, tokens=options.tokens, at_once=at_once, sampling=options.how)
                for each in all_of_them:
                    costs[each.name].append(each.run(asked))
            yield from (row(path, at_once, name, found) for name, found in costs.items())


def row(path: Path, at_once: int, name: str, costs: list[Cost]) -> dict[str, Any]:
    best = min(costs, key=lambda cost: cost.cpu_s / cost.tokens)
    fastest = max(cost.tokens / cost.wall_s for cost in costs)
    per_cpu = best.tokens / best.cpu_s
    return {"file": path.stem, "sequences": at_once, "what": name, "per_cpu_s": round(per_cpu, 1), "per_s": round(fastest, 1)}


def prefixed(path: Path, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A prompt of about 256 tokens, then others that go on from the same words: processor time of one token each."""
    for exact, busy in itertools.product((False, True), (False, True)):
        setting = Setting(slots=8, context_tokens=CONTEXT, threads=options.threads, exact=exact)
        engine = Ours(path, setting, name="engine")
        shared = prompts(1, 7, repeats=9)[0]
        first = engine.run(Asked(prompts=(shared + "one",), tokens=1, at_once=1))
        texts = tuple(shared + word for word in ("two", "three", "four", "five", "six", "seven", "eight", "nine"))
        others = engine.run(Asked(prompts=texts, tokens=1, at_once=8 if busy else 1))
        engine.close()
        per_other = others.cpu_s / len(texts)
        yield {
            "file": path.stem,
            "mode": "exact" if exact else "fast",
            "others": "8 at once" if busy else "one by one",
            "first_cpu_s": round(first.cpu_s, 3),
            "other_cpu_s": round(per_other, 3),
            "cached_tokens": engine.cached_tokens // len(texts),
            "times_cheaper": round(first.cpu_s / max(per_other, 1e-9), 1),
        }


def guessed(path: Path, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Answers that copy their prompt, always, mostly or rarely: one at a time, with guesses and without."""
    kind = path.stem.rpartition("-")[2]
    file = MODELS / f"counting-{kind}.gguf"
    if not file.exists():
        copying.write(file, kind)
    for exact in (False, True):
        setting = Setting(slots=8, context_tokens=CONTEXT, threads=options.threads, exact=exact)
        both = [Ours(file, replace(setting, guess=guess), name="engine") for guess in (True, False)]
        for temperature in (0.0, 3.0, 5.0):
            costs, answers = [NOTHING, NOTHING], [list[Any](), list[Any]()]
            for turn in range(options.rounds):
                prompts_ = tuple(copying.prompt(3 * turn + n) for n in range(3))
                asked = Asked(prompts=prompts_, tokens=options.tokens, at_once=1, sampling={"temperature": temperature})
                for which, each in enumerate(both):
                    costs[which] += each.run(asked)
                    answers[which] += each.answers.values()
            with_, without = (cost.cpu_s / cost.tokens for cost in costs)
            copied = sum(b == a + 1 for answer in answers[1] for a, b in itertools.pairwise(answer))
            yield {
                "file": file.stem,
                "mode": "exact" if exact else "fast",
                "copied": round(copied / max(1, sum(len(answer) - 1 for answer in answers[1])), 2),
                "cpu_ms": [round(with_ * 1e3, 2), round(without * 1e3, 2)],
                "times_cheaper": round(without / with_, 2),
                "times_faster": round(costs[1].wall_s / costs[0].wall_s, 2),
                "same_answers": answers[0] == answers[1],
            }
        for each in both:
            each.close()


def table(rows: list[dict[str, Any]], sequences: list[int]) -> str:
    """Contenders below each other, numbers of sequences beside each other: tokens per CPU-second."""
    lines = []
    for file, mine in itertools.groupby(rows, key=lambda each: each["file"]):
        found = {(each["what"], each["sequences"]): each["per_cpu_s"] for each in mine}
        lines += [f"| {file}, tokens per CPU-second | " + " | ".join(map(str, sequences)) + " |"]
        lines += ["|---" * (1 + len(sequences)) + "|"]
        for name in dict.fromkeys(name for name, _ in found):
            lines.append(f"| {name} | " + " | ".join(f"{found[name, count]:.1f}" for count in sequences) + " |")
    return "\n".join(lines)


def parsed(arguments: list[str]) -> argparse.Namespace:
    def numbers(text: str) -> list[int]:
        return [int(part) for part in text.split(",")]

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", default="Q4_0,Q8_0", help="of the weights; or paths of files")
    parser.add_argument("--sequences", type=numbers, default=[1, 4, 8, 16])
    parser.add_argument("--tokens", type=int, default=64, help="of each answer")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--sampling", choices=("greedy", "sampled"), default="greedy")
    parser.add_argument("--libraries", type=Path, nargs="*", default=[], help="folders with other builds of llama.cpp")
    parser.add_argument("--only", nargs="*", default=[""], help="contenders whose name has one of these")
    parser.add_argument("--prefix", action="store_true", help="measure the reuse of a common beginning instead")
    parser.add_argument("--guess", action="store_true", help="measure guesses at answers that copy their prompt instead")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    options.how = SAMPLED if options.sampling == "sampled" else GREEDY
    return options


def main(arguments: list[str]) -> None:
    options = parsed(arguments)
    measure, rows = guessed if options.guess else prefixed if options.prefix else compared, list[dict[str, Any]]()
    for kind in options.kinds.split(","):
        path = Path(kind) if kind.endswith(".gguf") else model(kind)
        for each in measure(path, options):
            rows.append(each)
            print(json.dumps(each), file=sys.stdout if options.json else sys.stderr, flush=True)
    if not (options.json or options.prefix or options.guess):
        print(table(rows, options.sequences))


if __name__ == "__main__":
    main(sys.argv[1:])
