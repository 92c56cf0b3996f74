"""This project's engine as a contender: its own process behind its own socket, as the agent runs it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from appliance.agent.engine.protocol import Deframer, FromEngine, Load, Loaded, decode_from_engine, encode
from engine_parts.asked import Asked, Cost, cpu_seconds
from iamine.ids import JobId
from iamine.wire.messages import CompletionWork, Failed, Finished, Job, Sampling, Started, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How the engine is run; `libraries`: a folder with llama.cpp's libraries in place of the installed ones."""

    slots: int = 8
    context_tokens: int = 1024
    threads: int = 1
    exact: bool = False
    gpu_layers: int = 0
    libraries: Path | None = None
    guess: bool = True


class Ours:
    """One engine process with a model loaded."""

    def __init__(self, path: Path, setting: Setting, *, name: str, verbose: bool = False) -> None:
        self.name = name
        self._socket, theirs = socket.socketpair()
        extra = {"LLAMA_CPP_LIB_PATH": str(setting.libraries)} if setting.libraries else {}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "appliance.agent.engine", "--fd", str(theirs.fileno()), *(["--verbose"] if verbose else [])],
            pass_fds=[theirs.fileno()],
            env=os.environ | extra,
            stderr=None if verbose else subprocess.DEVNULL,
        )
        theirs.close()
        self._frames = self._heard()
        load = Load(
            path=str(path),
            file_sha256="",
            kind="completion",
            exact=setting.exact,
            slots=setting.slots,
            context_tokens=setting.context_tokens,
            threads=setting.threads,
            gpu_layers=setting.gpu_layers,
            guess=setting.guess,
        )
        self._socket.sendall(encode(load))
        loaded = next(self._frames)
        if not isinstance(loaded, Loaded):
            raise RuntimeError(f"{name}: {loaded}")
        self.loaded = loaded
        self.pid = self._process.pid
        self._jobs = 0
        self.cached_tokens = 0
        self.answers: dict[str, list[int]] = {}

    def _heard(self) -> Iterator[FromEngine]:
        deframer = Deframer()
        while received := self._socket.recv(1 << 20):
            yield from map(decode_from_engine, deframer.feed(received))
        raise RuntimeError(f"{self.name} has ended (status {self._process.wait()})")

    def _job(self, prompt: str | tuple[int, ...], asked: Asked) -> Job:
        self._jobs += 1
        sampling = {"max_tokens": asked.tokens, "ignore_eos": asked.ignore_eos, "seed": self._jobs, **asked.sampling}
        return Job(
            job=JobId(f"j{self._jobs}"),
            epoch=1,
            file_sha256="",
            work=CompletionWork(prompt=prompt),
            now=0,
            sampling=msgspec.convert(sampling, Sampling),
        )

    def run(self, asked: Asked) -> Cost:
        """Answers all prompts."""
        jobs = [self._job(prompt, asked) for prompt in asked.prompts]
        self.answers = {job.job: [] for job in jobs}
        self.cached_tokens = 0
        cpu, wall, running = cpu_seconds(self.pid), time.monotonic(), 0
        while jobs or running:
            while jobs and running < asked.at_once:
                self._socket.sendall(encode(jobs.pop(0)))
                running += 1
            running -= self._take(next(self._frames))
        tokens = sum(map(len, self.answers.values()))
        return Cost(tokens=tokens, cpu_s=cpu_seconds(self.pid) - cpu, wall_s=time.monotonic() - wall)

    def _take(self, frame: FromEngine) -> bool:
        """Whether a job ended."""
        match frame:
            case Started():
                self.cached_tokens += frame.cached_tokens
            case Step():
                for each in frame.sequences:
                    self.answers[each.job] += each.ids
            case Failed():
                raise RuntimeError(f"{self.name}: {frame}")
        return isinstance(frame, Finished)

    def close(self) -> None:
        self._socket.close()
        self._process.wait()
