"""A real engine process and a small client for it."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from appliance.agent.engine.protocol import Deframer, FromEngine, Load, Loaded, ToEngine, decode_from_engine, encode
from iamine.ids import JobId
from iamine.wire.messages import ChatWork, CompletionWork, Embedded, Failed, Finished, Job, Sampling, Started, Step

MOTE = Path(__file__).parents[3] / "appliance/agent/data/mote-Q8_0.gguf"
PATIENCE_S = 20.0


class Answer:
    """What came back for one job, checked while it comes: indices rise by exactly one."""

    def __init__(self, first: int = 0) -> None:
        self.first = first
        self.ids: list[int] = []
        self.text = ""
        self.logprobs: list[Any] = []
        self.started: Started | None = None
        self.end: Any = None
        self.steps = 0

    def take(self, frame: Any) -> None:
        match frame:
            case Started():
                self.started = frame
            case Finished():
                self.text += frame.text
                self.end = frame
                assert frame.tokens == self.first + len(self.ids)
            case Failed() | Embedded():
                self.end = frame
            case _:
                pass

    def step(self, step: Any) -> None:
        assert self.started is not None, "Started comes first"
        assert step.index == self.first + len(self.ids)
        self.steps += 1
        self.ids += step.ids
        self.text += step.text
        self.logprobs += step.logprobs


class Client:
    """Speaks to one engine process over a socketpair."""

    def __init__(self, load: Load, *, environment: dict[str, str] | None = None) -> None:
        ours, theirs = socket.socketpair()
        self.socket = ours
        self.process = subprocess.Popen(
            [sys.executable, "-m", "appliance.agent.engine", "--fd", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env={**os.environ, **(environment or {})},
        )
        theirs.close()
        self._deframer = Deframer()
        self._frames: list[FromEngine] = []
        self._number = 0
        self.send(load)
        self.loaded: Any = self.receive()

    def send(self, message: ToEngine) -> None:
        self.socket.sendall(encode(message))

    def receive(self, timeout_s: float = PATIENCE_S) -> FromEngine:
        """The next frame; raises TimeoutError, or EOFError when the engine is gone."""
        deadline = time.monotonic() + timeout_s
        while not self._frames:
            self.socket.settimeout(max(0.001, deadline - time.monotonic()))
            received = self.socket.recv(1 << 20)
            if not received:
                raise EOFError("the engine closed its socket")
            self._frames += [decode_from_engine(b) for b in self._deframer.feed(received)]
        return self._frames.pop(0)

    def job(self, work: Any = "Hello", *, prefix: tuple[int, ...] = (), now: float = 0.0, **sampling: Any) -> Job:
        """A chat job for one user text, or for the given work."""
        self._number += 1
        if isinstance(work, str):
            work = chat(work)
        options = Sampling(**{"max_tokens": 64, "temperature": 0.0, **sampling})
        return Job(job=JobId(f"j{self._number}"), epoch=1, file_sha256="", work=work, sampling=options, now=now, prefix=prefix)

    def answers(self, jobs: list[Job], *, at_once: int = 64) -> list[Answer]:
        """Runs the jobs, at most `at_once` at a time, until all ended."""
        answers = {job.job: Answer(len(job.prefix)) for job in jobs}
        queue, running = list(jobs), 0
        while queue or running:
            while queue and running < at_once:
                self.send(queue.pop(0))
                running += 1
            frame = self.receive()
            if isinstance(frame, Step):
                for step in frame.sequences:
                    answers[step.job].step(step)
            else:
                answers[frame.job].take(frame)  # type: ignore[union-attr]
                running -= isinstance(frame, (Finished, Failed, Embedded))
        return [answers[job.job] for job in jobs]

    def answer(self, work: Any = "Hello", **options: Any) -> Answer:
        """One job, alone."""
        return self.answers([self.job(work, **options)])[0]

    def close(self) -> None:
        self.socket.close()
        self.process.wait(PATIENCE_S)


def chat(*contents: str, tools: list[Any] | None = None) -> ChatWork:
    """User and assistant take turns, the user first."""
    roles = ("user", "assistant")
    messages = [{"role": roles[i % 2], "content": c} for i, c in enumerate(contents)]
    return ChatWork(messages=msgspec.Raw(json.dumps(messages).encode()), tools=msgspec.Raw(json.dumps(tools or []).encode()))


def completion(prompt: str | tuple[int, ...]) -> CompletionWork:
    return CompletionWork(prompt=prompt)


@pytest.fixture(scope="session")
def mote() -> Load:
    """The micro-model as the agent loads it."""
    return Load(path=str(MOTE), file_sha256="", exact=True, threads=1)


@pytest.fixture
def start() -> Iterator[Callable[..., Client]]:
    """Starts engines that end with the test."""
    clients: list[Client] = []

    def start(load: Load, **options: Any) -> Client:
        clients.append(Client(load, **options))
        return clients[-1]

    yield start
    for client in clients:
        client.socket.close()
        client.process.kill()
        client.process.wait(PATIENCE_S)


@pytest.fixture(scope="session")
def shared(mote: Load) -> Iterator[Client]:
    """One engine for all tests that leave it whole."""
    client = Client(mote)
    assert isinstance(client.loaded, Loaded), client.loaded
    yield client
    client.close()


@pytest.fixture(name="chat")
def chat_fixture() -> Callable[..., ChatWork]:
    return chat


@pytest.fixture(name="completion")
def completion_fixture() -> Callable[..., CompletionWork]:
    return completion
