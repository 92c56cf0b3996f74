"""What a graphics card gives this engine, in one run under a time limit: build, probe, speed, memory, the same words, a pool.

    python bench/gpu.py --source llama-src.tar.xz --out FOLDER [--limit 540] [--architecture 90] [--skip NAME,NAME]
    python bench/gpu.py --libraries FOLDER --out FOLDER      # llama.cpp's libraries are there already, as with Vulkan

Makes no change to the machine but in --out and in --work. Needs the packages of requirements/runtime.txt and llama_cpp's
Python files in the path; for a build cmake, ninja, g++ and nvcc. `--source` is made by bench/gpu_parts/source.py from the
sdist. results.jsonl has a line for each thing found, as soon as it is.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from engine_model import KINDS, Shape, write
from engine_parts.asked import GREEDY, SAMPLED, Asked, Cost, prompts
from engine_parts.http_server import HttpServer
from engine_parts.ours import Ours, Setting
from gpu_parts import facts
from gpu_parts.steps import PYTHON, OutOfTime, Run

HERE = Path(__file__).parent
LARGE = Shape(layers=28, width=2048, kind=KINDS["Q8_0"], words=151936, kv_heads=8)  # 1.4 G parameters, 1.5 GB
LARGE_Q4 = Shape(layers=36, width=2560, kind=KINDS["Q4_0"], words=151936, kv_heads=8)  # 2.8 G parameters, 1.8 GB
SMALL = Shape(layers=16, width=768, kind=KINDS["Q4_0"], words=151936, kv_heads=4)
MODELS = {"large-Q8_0": LARGE, "large-Q4_0": LARGE_Q4, "small-Q4_0": SMALL}
LAYERS = 999
SLOTS, CONTEXT = 32, 2048
OPENED = "export OPENAI_API_KEY="


class Card:
    """The steps; `libraries` is where llama.cpp's are, once built."""

    def __init__(self, run: Run, options: argparse.Namespace) -> None:
        self.run, self.options = run, options
        self.work = Path(options.work)
        self.work.mkdir(parents=True, exist_ok=True)
        self.libraries: Path | None = options.libraries
        self._build: subprocess.Popen[bytes] | None = None

    def environ(self) -> dict[str, str]:
        return {"LLAMA_CPP_LIB_PATH": str(self.libraries)} if self.libraries else {}

    # ---- before and while the libraries are made

    def begin_build(self) -> None:
        """In the background: everything up to `finish_build` runs beside it."""
        if self.options.source is None:
            return
        cuda = [] if self.options.cpu else ["-DGGML_CUDA=ON", f"-DCMAKE_CUDA_ARCHITECTURES={self.options.architecture}"]
        with (self.run.out / "build.log").open("wb") as log:
            self._build = subprocess.Popen(
                [str(HERE / "gpu_parts/build"), str(self.options.source), str(self.work / "build"), "haswell", *cuda],
                stdout=log,
                stderr=log,
            )

    def finish_build(self) -> None:
        if self._build is None:
            return
        try:
            status = self._build.wait()
        except OutOfTime:
            self._build.kill()
            raise
        times = self.work / "build/times.tsv"
        if times.exists():
            self.run.tell("build times", rows=[line.split("\t") for line in times.read_text().splitlines()])
        if status != 0:
            raise RuntimeError((self.run.out / "build.log").read_text(errors="replace")[-3000:])
        self.libraries = self.work / "build/bin"
        sizes = {path.name: round(path.stat().st_size / 1e6, 1) for path in sorted(self.libraries.glob("*.so"))}
        self.run.tell("libraries", mb=sizes)

    def models(self) -> None:
        for name, shape in MODELS.items():
            path = self.work / f"{name}.gguf"
            if name in self.options.models and not path.exists():
                write(path, shape)
                self.run.tell("model", name=name, mb=round(path.stat().st_size / 1e6))

    def probe(self) -> None:
        output = self.run.command("probe", [PYTHON, "-m", "appliance.agent", "probe", "--json"], environ=self.environ())
        self.run.tell("probe", **json.loads(output)["hardware"])

    # ---- with the libraries

    def speed(self) -> None:
        """Tokens/s of this engine and of llama-server with the same libraries, turn by turn."""
        for name in self.options.models:
            self._speed_of(self.work / f"{name}.gguf")

    def _speed_of(self, path: Path) -> None:
        assert self.libraries is not None, "built, or given"
        setting = Setting(slots=SLOTS, context_tokens=CONTEXT, threads=4, gpu_layers=LAYERS, libraries=self.libraries)
        with ExitStack() as stack:
            ours = Ours(path, setting, name="engine")
            stack.callback(ours.close)
            self.run.tell("self-test", file=path.stem, prefill=ours.loaded.prefill_tps, decode=ours.loaded.decode_tps)
            both: list[Any] = [ours]
            program = self.libraries / "llama-server"
            if program.exists():
                log = self.run.out / "server.log"
                both.append(HttpServer(program, path, setting, name="llama-server", log=log))
                stack.callback(both[-1].close)
            first = 0
            for how, sampling in (("greedy", GREEDY), ("sampled", SAMPLED)):
                for at_once in self.options.sequences:
                    for turn in range(2):
                        texts = prompts(at_once, first)
                        first += at_once
                        asked = Asked(prompts=texts, tokens=128, at_once=at_once, sampling=sampling)
                        for each in both if turn else both[::-1]:
                            self._tell(path, at_once, how, each.name, each.run(asked))

    def _tell(self, path: Path, at_once: int, how: str, name: str, cost: Cost) -> None:
        per_s, per_cpu = cost.tokens / cost.wall_s, cost.tokens / max(cost.cpu_s, 1e-3)
        told = {"file": path.stem, "sequences": at_once, "how": how, "what": name, "tokens": cost.tokens}
        self.run.tell("speed", **told, per_s=round(per_s, 1), per_cpu_s=round(per_cpu, 1))

    def batched_bench(self) -> None:
        """llama.cpp's own loop without sampling, server and sockets: what the card can do."""
        assert self.libraries is not None, "built, or given"
        for name in self.options.models:
            sizes = {"-c": SLOTS * 512, "-npp": 64, "-ntg": 128, "-ngl": LAYERS, "-b": 512, "-ub": 512}
            words = [word for option, number in sizes.items() for word in (option, str(number))]
            command = [str(self.libraries / "llama-batched-bench"), "-m", str(self.work / f"{name}.gguf"), *words]
            counts = ",".join(map(str, self.options.sequences))
            output = self.run.command("batched-bench", [*command, "-npl", counts, "--output-format", "jsonl"])
            (self.run.out / f"batched-{name}.txt").write_text(output)

    def same(self) -> None:
        self.run.command("same words", [PYTHON, str(HERE / "gpu_parts/same.py")], environ=self.environ())

    def memory(self) -> None:
        paths = [str(self.work / f"{name}.gguf") for name in self.options.models]
        self.run.command("memory", [PYTHON, str(HERE / "gpu_parts/memory.py"), *paths], environ=self.environ())

    def kv(self) -> None:
        """One memory for all sequences or one each; halves or Q8_0."""
        for name, (sequences, tokens) in itertools.product(self.options.models[:1], ((8, 2048), (32, 1024))):
            numbers = map(str, (sequences, tokens, LAYERS, 4))
            words = [PYTHON, str(HERE / "gpu_parts/kv.py"), str(self.work / f"{name}.gguf"), *numbers]
            self.run.command("kv", words, environ=self.environ())

    def verdict(self) -> None:
        """`iamine bench`: measured against predicted."""
        data = ["--data-dir", str(self.work / "data"), "--models-dir", str(self.work), "--json"]
        output = self.run.command("verdict", [PYTHON, "-m", "appliance.agent", "bench", *data], environ=self.environ())
        for each in json.loads(output)["measured"]:
            self.run.tell("verdict", **each)

    def pool(self) -> None:
        """A pool and a worker with the card, from nothing to an answer."""
        folder, log = self.work / "up", self.run.out / "up.log"
        with log.open("wb") as out:
            command = [PYTHON, "-m", "iamine", "up", "--data-dir", str(folder), "--port", "8099"]
            up = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, **self.environ()})
        try:
            while OPENED not in log.read_text(errors="replace"):
                time.sleep(0.2)
                if up.poll() is not None:
                    raise RuntimeError(log.read_text(errors="replace")[-1500:])
            key = log.read_text(errors="replace").split(OPENED)[1].split()[0]
            self._ask(key)
            self.run.tell("pool", log=log.read_text(errors="replace")[-3000:].replace(key, "KEY"))
        finally:
            up.terminate()
            up.wait(15)

    def _ask(self, key: str) -> None:
        body = {"model": "mote", "messages": [{"role": "user", "content": "Count from 1 to 10."}], "temperature": 0}
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        request = urllib.request.Request("http://127.0.0.1:8099/v1/chat/completions", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            told = json.loads(answer.read())
        self.run.tell("answer", text=told["choices"][0]["message"]["content"], usage=told["usage"])


ORDER = (
    ("facts", 30), ("probe_before", 20), ("begin_build", 5), ("models", 240), ("finish_build", 420), ("probe", 20),
    ("same", 40), ("speed", 120), ("memory", 60), ("verdict", 60), ("pool", 45), ("batched_bench", 60), ("kv", 60),
)  # fmt: skip


def parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="where results go")
    parser.add_argument("--work", type=Path, default=Path("/tmp/iamine-gpu"), help="where models and the build go")
    parser.add_argument("--source", type=Path, help="llama.cpp's stripped source: it is built")
    parser.add_argument("--libraries", type=Path, help="a folder with built libraries")
    parser.add_argument("--architecture", default="native", help="of the card, as 90 for Hopper, 86 for RTX 30, 120 for RTX 50")
    parser.add_argument("--cpu", action="store_true", help="no CUDA: to try this script")
    parser.add_argument("--limit", type=float, default=540, help="seconds for all")
    parser.add_argument("--models", type=lambda text: text.split(","), default=["large-Q8_0", "large-Q4_0"])
    parser.add_argument("--sequences", type=lambda text: [int(part) for part in text.split(",")], default=[1, 8, 32])
    parser.add_argument("--skip", type=lambda text: text.split(","), default=[], help="steps to leave out")
    parser.add_argument("--only", type=lambda text: text.split(","), default=[], help="these steps only")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> None:
    options = parsed(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    run = Run(out=options.out, until=time.monotonic() + options.limit)
    card = Card(run, options)
    work = {name: getattr(card, name, None) for name, _ in ORDER}
    work |= {"facts": lambda: facts.collect(options.out), "probe_before": card.probe}
    for name, limit_s in ORDER:
        if name not in options.skip and (not options.only or name in options.only):
            run.step(name, limit_s, work[name])  # type: ignore[arg-type]


if __name__ == "__main__":
    main(sys.argv[1:])
