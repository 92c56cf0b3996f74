"""Sentences per CPU-second: this engine, one input a job and 64 a job, against llama_cpp.Llama.embed, same file, one thread.

    .venv/bin/python bench/embeddings.py [MODEL.gguf]

Without a file: the one of `just embedder`. Counts the engine process's own user and system time; vectors of both are compared.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from appliance.agent.engine.protocol import Deframer, Load, Loaded, decode_from_engine, encode
from iamine.ids import JobId
from iamine.wire.messages import Embedded, EmbeddingWork, Job, Sampling
from mote.embedder.build import cache_folder, made

SENTENCES = [each["text"] for each in json.loads(Path("tests/integration/engine/vectors.json").read_text())]
COUNT = 1024
PEER = """
import json, os, sys, time
os.environ["OMP_WAIT_POLICY"] = "passive"
from llama_cpp import Llama
path, sentences, batch = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
llama = Llama(path, embedding=True, n_ctx=512, n_batch=512, n_ubatch=512, n_threads=1, n_threads_batch=1, verbose=False)
llama.embed(sentences[:8])
began, vectors = time.process_time(), []
for at in range(0, len(sentences), batch):
    vectors += llama.embed(sentences[at : at + batch], normalize=True)
print(json.dumps({"rate": len(vectors) / (time.process_time() - began), "first": vectors[:8]}))
"""


class Engine:
    """One engine process with the embedder."""

    def __init__(self, path: Path) -> None:
        self._socket, theirs = socket.socketpair()
        command = [sys.executable, "-m", "appliance.agent.engine", "--fd", str(theirs.fileno())]
        self.process = subprocess.Popen(command, pass_fds=[theirs.fileno()])
        theirs.close()
        self._deframer, self._frames = Deframer(), list[Any]()
        self._socket.sendall(encode(Load(path=str(path), file_sha256="", kind="embedding", threads=1, slots=4)))
        assert isinstance(self.receive(), Loaded)

    def receive(self) -> Any:
        while not self._frames:
            self._frames += [decode_from_engine(body) for body in self._deframer.feed(self._socket.recv(1 << 20))]
        return self._frames.pop(0)

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def embed(self, sentences: list[str], per_job: int) -> list[tuple[float, ...]]:
        """All vectors in order; four jobs are under way at a time."""
        jobs = [sentences[at : at + per_job] for at in range(0, len(sentences), per_job)]
        done: dict[str, tuple[tuple[float, ...], ...]] = {}
        sent = 0
        while len(done) < len(jobs):
            while sent < len(jobs) and sent - len(done) < 4:
                work = EmbeddingWork(inputs=tuple(jobs[sent]))
                nothing = Sampling(max_tokens=0, temperature=0.0)
                job = Job(job=JobId(str(sent)), epoch=1, file_sha256="", work=work, sampling=nothing, now=0.0)
                self._socket.sendall(encode(job))
                sent += 1
            frame = self.receive()
            if isinstance(frame, Embedded):
                done[str(frame.job)] = frame.vectors
        return [vector for number in range(len(jobs)) for vector in done[str(number)]]

    def close(self) -> None:
        self._socket.close()
        self.process.wait(10)


def main(arguments: list[str]) -> None:
    path = Path(arguments[0]) if arguments else made(cache_folder())
    sentences = (SENTENCES * COUNT)[:COUNT]
    os.environ["OMP_WAIT_POLICY"] = "passive"
    engine = Engine(path)
    engine.embed(sentences[:8], 8)
    rates, first = {}, []
    for per_job in (1, 64):
        before = engine.cpu_s()
        first = engine.embed(sentences, per_job)[:8]
        rates[per_job] = len(sentences) / (engine.cpu_s() - before)
    engine.close()
    for batch in (1, 64):
        out = subprocess.run(
            [sys.executable, "-c", PEER, path, json.dumps(sentences), str(batch)], capture_output=True, check=True
        )
        peer = msgspec.json.decode(out.stdout.splitlines()[-1])
        least = min(float(np.dot(a, b)) for a, b in zip(first, peer["first"], strict=True))
        print(
            f"{batch:2} a job: {rates[batch]:.0f} sentences/CPU-s, Llama.embed {peer['rate']:.0f}, "
            f"ratio {rates[batch] / peer['rate']:.2f}; least cosine between the two {least:.6f}"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
