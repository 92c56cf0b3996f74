"""The runner over real engines: what dies comes back, what keeps dying is quarantined, nothing is left behind."""

import asyncio
import json
import os
import signal
import struct
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from appliance.agent.errors import EngineFailed
from appliance.agent.runner import Runner
from appliance.agent.types import ModelSpec
from iamine.ids import JobId, ModelId
from iamine.wire.messages import Cancel, CompletionWork, Failed, Finished, Grammar, Job, Sampling, Step

MOTE = Path(__file__).parents[3] / "appliance/agent/data/mote-Q8_0.gguf"
SPEC = ModelSpec(model=ModelId("mote"), path=MOTE, file_sha256="aa", exact=True, threads=1)


class Watch:
    """A runner and everything that it said."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.frames: list[Any] = []
        self.offers: list[int] = []
        self.folder = folder
        self.runner = Runner(
            on_frame=self.frames.append,
            on_offers=lambda offers: self.offers.append(len(offers)),
            quarantine_dir=folder / "quarantine",
            **options,
        )
        self._number = 0
        self._others = {p.pid for p in psutil.Process().children(recursive=True)}  # of other tests

    def engines(self, *, recursive: bool = False) -> list[psutil.Process]:
        """The processes of this runner; `recursive`: with what they made."""
        children = psutil.Process().children(recursive=recursive)
        return [p for p in children if p.pid not in self._others and is_engine(p)]

    def job(self, *, sha: str = "aa", **sampling: Any) -> Job:
        self._number += 1
        options = Sampling(**{"max_tokens": 900, "ignore_eos": True, "temperature": 0.0, **sampling})
        work = CompletionWork(prompt="Hello")
        return Job(job=JobId(f"j{self._number}"), epoch=1, file_sha256=sha, work=work, sampling=options, now=0.0)

    async def until(self, done: Callable[[], Any], patience_s: float = 20.0) -> Any:
        deadline = time.monotonic() + patience_s
        while not (value := done()):
            assert time.monotonic() < deadline, (done, self.frames[-3:])
            await asyncio.sleep(0.005)
        return value

    def ends(self) -> list[Any]:
        return [f for f in self.frames if isinstance(f, (Finished, Failed))]

    async def works(self) -> None:
        job = self.job(max_tokens=3)
        self.runner.submit(job)
        await self.until(lambda: any(isinstance(f, Finished) and f.job == job.job for f in self.frames))


@pytest.fixture
async def watch(tmp_path: Path) -> AsyncIterator[Watch]:
    watch = Watch(tmp_path)
    yield watch
    await watch.runner.close()
    assert watch.engines(recursive=True) == []


def is_engine(process: psutil.Process) -> bool:
    """Whether it is an engine, its zygote, or an oracle; a zombie is one too."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE or "appliance.agent.engine" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False


async def test_a_killed_engine_gives_its_jobs_back_and_returns_in_seconds(watch: Watch) -> None:
    offer = await watch.runner.load(SPEC)
    assert (offer.slots, offer.exact, offer.context_tokens) == (8, True, 1024)
    assert watch.runner.offers == (offer,)
    jobs = [watch.job() for _ in range(4)]
    for job in jobs:
        watch.runner.submit(job)
    await watch.until(lambda: any(isinstance(f, Step) and len(f.sequences) == 4 for f in watch.frames))
    assert watch.runner.running == 4
    began = time.monotonic()
    watch.engines()[0].kill()
    await watch.until(lambda: len(watch.ends()) == 4, 2.0)
    assert {(f.code, f.retryable) for f in watch.ends()} == {("engine_lost", True)}
    assert (watch.runner.running, watch.runner.ready, watch.runner.offers) == (0, False, ())
    watch.runner.submit(watch.job())
    await watch.until(lambda: len(watch.ends()) == 5, 2.0)
    assert watch.ends()[-1].code == "engine_lost"
    await watch.until(lambda: watch.runner.ready)
    assert time.monotonic() - began < 10.0
    assert watch.offers == [1, 0, 1]
    await watch.works()


async def test_a_stuck_engine_is_killed_and_replaced(tmp_path: Path) -> None:
    watch = Watch(tmp_path, stuck_s=1.0)
    await watch.runner.load(SPEC)
    watch.runner.submit(watch.job())
    await watch.until(lambda: any(isinstance(f, Step) for f in watch.frames))
    watch.engines()[0].suspend()
    await watch.until(lambda: watch.ends())
    assert watch.ends()[0].code == "engine_lost"
    await watch.until(lambda: watch.runner.ready)
    await watch.works()
    await watch.runner.close()


async def test_a_file_that_aborts_its_engine_three_times_is_quarantined(watch: Watch, tmp_path: Path) -> None:
    deadly = bytearray(MOTE.read_bytes())
    name = b"llama.block_count"
    place = deadly.index(struct.pack("<Q", len(name)) + name) + 8 + len(name) + 4
    deadly[place : place + 4] = struct.pack("<I", 0)  # an assertion of llama.cpp's fails
    path = tmp_path / "deadly.gguf"
    path.write_bytes(deadly)
    spec = ModelSpec(model=ModelId("deadly"), path=path, file_sha256="dd", exact=True, threads=1)
    for _ in range(2):
        with pytest.raises(EngineFailed, match="quarantined") as caught:
            await watch.runner.load(spec)
    note = tmp_path / "quarantine" / "dd.json"
    assert str(note) in caught.value.hint
    assert json.loads(note.read_text())["file"] == str(path)
    note.unlink()
    path.write_bytes(MOTE.read_bytes())
    assert (await watch.runner.load(spec)).slots == 8


async def test_an_engine_killed_again_and_again_is_not_restarted(watch: Watch, tmp_path: Path) -> None:
    await watch.runner.load(SPEC)
    for _ in range(3):
        await watch.until(lambda: watch.runner.ready)
        watch.engines()[0].kill()
        await watch.until(lambda: not watch.runner.ready)
    await watch.until(lambda: (tmp_path / "quarantine" / "aa.json").exists())
    with pytest.raises(EngineFailed, match="quarantined"):
        await watch.runner.load(SPEC)
    assert watch.offers[-1] == 0


async def test_a_file_that_is_excused_is_not_quarantined_and_its_engine_comes_back(tmp_path: Path) -> None:
    seen: list[tuple[bool, str]] = []

    def excused(spec: ModelSpec, words: str, too_often: bool) -> bool:
        seen.append((too_often, words))
        return too_often

    watch = Watch(tmp_path, on_crash=excused)
    await watch.runner.load(SPEC)
    for number in range(4):
        await watch.until(lambda: watch.runner.ready)
        watch.engines()[0].kill()
        await watch.until(lambda number=number: len(seen) > number)
    await watch.until(lambda: watch.runner.ready)
    assert [often for often, _ in seen] == [False, False, True, False]
    assert "exit status -9" in seen[0][1]
    assert not (tmp_path / "quarantine").exists()
    await watch.runner.close()


async def test_a_bad_file_is_refused_at_once_and_not_quarantined(watch: Watch, tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(b"nothing")
    with pytest.raises(EngineFailed) as caught:
        await watch.runner.load(ModelSpec(model=ModelId("x"), path=path, file_sha256="xx"))
    assert caught.value.hint
    assert not (tmp_path / "quarantine").exists()
    assert watch.offers == []


async def test_jobs_for_files_that_are_not_here_are_answered(watch: Watch) -> None:
    watch.runner.submit(watch.job(sha="zz"))
    assert watch.frames == []  # never from inside submit
    await watch.until(lambda: watch.frames)
    assert (watch.frames[0].code, watch.frames[0].retryable) == ("model_missing", True)


async def test_cancelled_jobs_are_silent(watch: Watch) -> None:
    await watch.runner.load(SPEC)
    jobs = [watch.job() for _ in range(3)]
    for job in jobs:
        watch.runner.submit(job)
    await watch.until(lambda: any(isinstance(f, Step) and len(f.sequences) == 3 for f in watch.frames))
    watch.runner.cancel(Cancel(job=jobs[0].job, epoch=1))
    watch.runner.cancel(Cancel(job=jobs[1].job, epoch=9))
    watch.frames.clear()
    assert watch.runner.running == 2
    await watch.until(lambda: sum(isinstance(f, Step) for f in watch.frames) > 5)
    assert {s.job for f in watch.frames if isinstance(f, Step) for s in f.sequences} == {jobs[1].job, jobs[2].job}
    watch.runner.cancel_all()
    assert watch.runner.running == 0
    await watch.works()
    assert len(watch.ends()) == 1


async def test_closing_gives_jobs_back_and_leaves_no_process(watch: Watch) -> None:
    await watch.runner.load(SPEC)
    watch.runner.submit(watch.job(grammar=Grammar(kind="gbnf", text="root ::= [a-z]+"), max_tokens=800))
    await watch.until(lambda: any(isinstance(f, Step) for f in watch.frames))
    children = watch.engines(recursive=True)
    assert len(children) == 3  # engine, zygote, oracle
    began = time.monotonic()
    await watch.runner.close()
    assert time.monotonic() - began < 1.5
    assert watch.ends()[0].code == "draining"
    await watch.until(lambda: not any(p.is_running() and is_engine(p) for p in children), 5.0)
    watch.runner.submit(watch.job())
    await watch.until(lambda: watch.ends()[-1].code == "draining")


def test_engines_die_with_an_agent_that_is_killed(tmp_path: Path) -> None:
    script = f"""
        import asyncio, pathlib
        from appliance.agent.runner import Runner
        from appliance.agent.types import ModelSpec
        async def main():
            runner = Runner(on_frame=print, on_offers=lambda o: None, quarantine_dir=pathlib.Path({str(tmp_path)!r}))
            await runner.load(ModelSpec(model="m", path=pathlib.Path({str(MOTE)!r}), file_sha256="a", exact=True, threads=1))
            print("up", flush=True)
            await asyncio.sleep(60)
        asyncio.run(main())
    """
    agent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True)
    assert agent.stdout is not None
    assert agent.stdout.readline() == "up\n"
    children = psutil.Process(agent.pid).children(recursive=True)
    assert children
    os.killpg(os.getpgid(children[0].pid), signal.SIGINT)  # Ctrl-C in the engine's own group does nothing
    agent.kill()
    agent.wait()
    agent.stdout.close()
    _, alive = psutil.wait_procs(children, timeout=5.0)
    assert alive == []
