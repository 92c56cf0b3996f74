"""Contenders that run in a child process of their own: a line of JSON with the prompts in, a line with the cost out.

As a program (`python child.py WHICH MODEL SETTING`) it is that child; it imports nothing of the project.
"""

import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any


class Child:
    """One process; `python` is that of the environment where its packages are installed."""

    def __init__(self, which: str, python: Path, path: Path, setting: dict[str, Any], *, name: str) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [str(python), __file__, which, str(path), json.dumps(setting)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "OMP_WAIT_POLICY": "passive"},
        )
        self._line()

    def _line(self) -> Any:
        assert self._process.stdout is not None, "it is a pipe"
        while line := self._process.stdout.readline():
            if line.startswith("{"):
                return json.loads(line)
        raise RuntimeError(f"{self.name} has ended (status {self._process.wait()})")

    def run(self, asked: Any) -> Any:
        """Answers all prompts (`asked.Asked` in, `asked.Cost` out)."""
        from engine_parts.asked import Cost  # not at the top: the child lacks the package's folder

        assert self._process.stdin is not None, "it is a pipe"
        self._process.stdin.write(json.dumps(asdict(asked)) + "\n")
        self._process.stdin.flush()
        return Cost(**self._line())

    def close(self) -> None:
        assert self._process.stdin is not None, "it is a pipe"
        self._process.stdin.close()
        self._process.wait()


def serial(path: str, setting: dict[str, Any]) -> Any:
    """`llama_cpp.Llama`, one prompt after the other."""
    from llama_cpp import Llama, llama_chat_format

    # Llama cuts templates at 1 KiB, then fails on the half
    llama_chat_format.Jinja2ChatFormatter.__init__ = lambda self, *a, **k: None  # type: ignore[assignment,misc]
    llama = Llama(
        path,
        n_ctx=setting["context_tokens"],
        n_threads=setting["threads"],
        n_threads_batch=setting["threads"],
        n_gpu_layers=setting["gpu_layers"],
        verbose=False,
    )

    def answer(prompt: str, asked: dict[str, Any]) -> int:
        count, sampling = 0, asked["sampling"]
        wanted = {"temp": sampling["temperature"], "top_k": int(sampling.get("top_k", 0)), "top_p": sampling.get("top_p", 1.0)}
        for _ in llama.generate(llama.tokenize(prompt.encode()), min_p=0.0, repeat_penalty=1.0, **wanted):
            count += 1
            if count == asked["tokens"]:
                break
        return count

    return lambda asked: sum(answer(prompt, asked) for prompt in asked["prompts"])


def server(path: str, setting: dict[str, Any]) -> Any:
    """llama-server's core by xllamacpp, its slots as many as ours; `stream`: each token goes to a callback."""
    import xllamacpp as x

    params = x.CommonParams()
    params.model.path = path
    params.n_ctx, params.n_parallel = setting["context_tokens"] * setting["slots"], setting["slots"]
    params.n_batch = params.n_ubatch = 512
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = setting["threads"]
    params.n_gpu_layers = setting["gpu_layers"]
    params.kv_unified = False  # one memory for each, as ours: its own default where the number of slots is given
    params.cache_ram_mib = 0  # it would copy every finished prompt to memory
    params.verbosity = -1
    core = x.Server(params)

    def answer(prompt: str, asked: dict[str, Any]) -> int:
        sampling = asked["sampling"]
        body = {"prompt": prompt, "max_tokens": asked["tokens"], "n_predict": asked["tokens"], "ignore_eos": True, "min_p": 0.0}
        body |= {"top_k": 0, "top_p": 1.0, "samplers": ["top_k", "top_p", "temperature"], **sampling}
        if not setting["stream"]:
            return int(core.handle_completions(body)["usage"]["completion_tokens"])
        told = [0, 0]

        def take(chunk: Any) -> None:
            told[0] += 1
            if chunk.get("usage"):
                told[1] = chunk["usage"]["completion_tokens"]

        core.handle_completions({**body, "stream": True, "stream_options": {"include_usage": True}}, take)
        return told[1] or told[0]

    def run(asked: dict[str, Any]) -> int:
        with ThreadPoolExecutor(asked["at_once"]) as threads:
            return sum(threads.map(lambda prompt: answer(prompt, asked), asked["prompts"]))

    return run


def main(arguments: list[str]) -> None:
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    answer = {"serial": serial, "server": server}[arguments[0]](arguments[1], json.loads(arguments[2]))
    print("{}", file=out, flush=True)
    for line in sys.stdin:
        cpu, wall = time.process_time(), time.monotonic()
        tokens = answer(json.loads(line))
        cost = {"tokens": tokens, "cpu_s": time.process_time() - cpu, "wall_s": time.monotonic() - wall}
        print(json.dumps(cost), file=out, flush=True)
    out.flush()
    threading.Timer(0, lambda: os._exit(0)).start()  # the server's own threads would wait


if __name__ == "__main__":
    main(sys.argv[1:])
