"""Tokens per CPU-second: this engine with 1, 4 and 8 sequences against llama_cpp.Llama one by one, same file, one thread.

    .venv/bin/python bench/engine.py [MODEL.gguf] [TOKENS]

Counts the engine process's own user and system time (all of its threads), so other work on the machine matters little.
"""

import itertools
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from appliance.agent.engine.protocol import Deframer, Load, Loaded, decode_from_engine, encode
from iamine.ids import JobId
from iamine.wire.messages import CompletionWork, Failed, Finished, Job, Sampling, Step

MOTE = Path(__file__).parents[1] / "appliance/agent/data/mote-Q8_0.gguf"
PROMPT = "Count from 1 to 60 and tell me about the river, the horse and the blue stone. "
JOBS = 32
SERIAL = """
import os, sys, time
os.environ["OMP_WAIT_POLICY"] = "passive"
from llama_cpp import Llama, llama_chat_format
llama_chat_format.Jinja2ChatFormatter.__init__ = lambda self, *a, **k: None  # Llama cuts templates at 1 KiB, then fails
path, prompt, tokens, jobs = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
llama = Llama(path, n_ctx=1024, n_threads=1, n_threads_batch=1, verbose=False)
began = time.process_time()
count = 0
for number in range(jobs):
    for token in llama.generate(llama.tokenize(f"{number} {prompt}".encode()), temp=0.0):
        count += 1
        if count % tokens == 0:
            break
print(count / (time.process_time() - began))
"""


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def engine_rate(path: Path, tokens: int, at_once: int, *, exact: bool, **sampling: object) -> tuple[float, float]:
    """(tokens per CPU-second, tokens per second) of one engine process with `at_once` sequences."""
    ours, theirs = socket.socketpair()
    process = subprocess.Popen(
        [sys.executable, "-m", "appliance.agent.engine", "--fd", str(theirs.fileno())], pass_fds=[theirs.fileno()]
    )
    theirs.close()
    deframer = Deframer()
    ours.sendall(
        encode(Load(path=str(path), file_sha256="", exact=exact, slots=8, context_tokens=1024, threads=1, kind="completion"))
    )

    def frames() -> object:
        while received := ours.recv(1 << 20):
            for body in deframer.feed(received):
                yield decode_from_engine(body)

    heard = frames()
    loaded = next(heard)
    assert isinstance(loaded, Loaded), loaded
    jobs = [
        Job(
            job=JobId(f"j{n}"),
            epoch=1,
            file_sha256="",
            work=CompletionWork(prompt=f"{n} {PROMPT}"),
            now=0,
            sampling=msgspec.convert({"temperature": 0.0, "max_tokens": tokens, "ignore_eos": True, **sampling}, Sampling),
        )
        for n in range(JOBS)
    ]
    cpu, wall, count, running = cpu_seconds(process.pid), time.monotonic(), 0, 0
    while jobs or running:
        while jobs and running < at_once:
            ours.sendall(encode(jobs.pop()))
            running += 1
        frame = next(heard)
        if isinstance(frame, Step):
            count += sum(len(s.ids) for s in frame.sequences)
        assert not isinstance(frame, Failed), frame
        running -= isinstance(frame, Finished)
    used, took = cpu_seconds(process.pid) - cpu, time.monotonic() - wall
    ours.close()
    process.wait()
    return count / used, count / took


def main(arguments: list[str]) -> None:
    path = Path(arguments[0]) if arguments else MOTE
    tokens = int(arguments[1]) if len(arguments) > 1 else 200
    command = [sys.executable, "-c", SERIAL, str(path), PROMPT, str(tokens), str(JOBS)]
    serial = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    rows = [{"what": "llama_cpp.Llama, one by one", "tokens_per_cpu_s": round(serial), "ratio": 1.0}]
    for exact, at_once in itertools.product((True, False), (1, 4, 8)):
        per_cpu, per_wall = engine_rate(path, tokens, at_once, exact=exact)
        rows.append(
            {
                "what": f"engine, {at_once} sequences, {'exact' if exact else 'default'} mode",
                "tokens_per_cpu_s": round(per_cpu),
                "tokens_per_s": round(per_wall),
                "ratio": round(per_cpu / serial, 2),
            }
        )
    print("\n".join(map(json.dumps, rows)))


if __name__ == "__main__":
    main(sys.argv[1:])
