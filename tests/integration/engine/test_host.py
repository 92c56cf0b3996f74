"""Engines of a host process: the same supervision as for children, whoever of the three is killed."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from appliance.agent.engine.host import HELLO
from appliance.agent.errors import EngineAway, EngineFailed
from appliance.agent.runner import Runner, hosted
from appliance.agent.runner import model as supervision
from appliance.agent.types import ModelSpec
from iamine.ids import JobId, ModelId
from iamine.wire.messages import CompletionWork, Failed, Finished, Grammar, Job, Sampling, Step

MOTE = Path(__file__).parents[3] / "appliance/agent/data/mote-Q8_0.gguf"
SPEC = ModelSpec(model=ModelId("mote"), path=MOTE, file_sha256="aa", exact=True, threads=1)


class HostProcess:
    """An engine host that can be killed and started again at the same socket."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "engine.sock"
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "appliance.agent.engine.host", "--socket", str(self.path)]
        self.process = subprocess.Popen(command)
        until(self.path.exists)

    def kill(self) -> list[psutil.Process]:
        """By SIGKILL; what it had made."""
        made = self.engines()
        self.process.kill()
        self.process.wait()
        self.path.unlink()
        return made

    def engines(self) -> list[psutil.Process]:
        """The engines and what they made."""
        return psutil.Process(self.process.pid).children(recursive=True)


def until(done: Callable[[], Any], patience_s: float = 20.0) -> None:
    deadline = time.monotonic() + patience_s
    while not done():
        assert time.monotonic() < deadline, done
        time.sleep(0.01)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[HostProcess]:
    host = HostProcess(tmp_path)
    yield host
    host.process.kill()
    host.process.wait()


class Watch:
    """A runner over the host, and what it said."""

    def __init__(self, host: HostProcess, folder: Path, **options: Any) -> None:
        self.frames: list[Any] = []
        self.runner = Runner(
            on_frame=self.frames.append,
            on_offers=lambda offers: None,
            quarantine_dir=folder / "quarantine",
            launch=hosted(host.path),
            **options,
        )

    def submit(self, name: str, **sampling: Any) -> None:
        options = Sampling(**{"max_tokens": 900, "ignore_eos": True, "temperature": 0.0, **sampling})
        work = CompletionWork(prompt="Hello")
        self.runner.submit(Job(job=JobId(name), epoch=1, file_sha256="aa", work=work, sampling=options, now=0.0))

    async def until(self, done: Callable[[], Any], patience_s: float = 20.0) -> None:
        deadline = time.monotonic() + patience_s
        while not done():
            assert time.monotonic() < deadline, (done, self.frames[-3:])
            await asyncio.sleep(0.005)

    async def steps(self) -> None:
        await self.until(lambda: any(isinstance(f, Step) for f in self.frames))

    async def works(self, name: str = "works") -> None:
        await self.until(lambda: self.runner.ready)
        self.submit(name, max_tokens=3)
        await self.until(lambda: any(isinstance(f, Finished) and f.job == name for f in self.frames))

    def ends(self) -> list[Any]:
        return [f for f in self.frames if isinstance(f, (Finished, Failed))]


@pytest.fixture
async def watch(host: HostProcess, tmp_path: Path) -> AsyncIterator[Watch]:
    watch = Watch(host, tmp_path)
    yield watch
    await watch.runner.close()


async def test_it_answers_and_a_let_go_model_leaves_no_process(host: HostProcess, watch: Watch) -> None:
    assert (await watch.runner.load(SPEC)).slots == 8
    await watch.works()
    watch.frames.clear()
    watch.submit("shaped", grammar=Grammar(kind="gbnf", text="root ::= [a-z]+"))
    await watch.steps()
    assert len(host.engines()) == 3  # engine, zygote, oracle
    engine, *_ = host.engines()
    assert os.getsid(engine.pid) == engine.pid
    began = time.monotonic()
    await watch.runner.release()
    assert time.monotonic() - began < 2.0
    await watch.until(lambda: host.engines() == [], 5.0)


async def test_a_killed_engine_gives_its_jobs_back_and_returns(host: HostProcess, watch: Watch) -> None:
    await watch.runner.load(SPEC)
    watch.submit("lost")
    await watch.steps()
    host.engines()[0].kill()
    await watch.until(lambda: watch.ends() != [], 5.0)
    assert (watch.ends()[0].code, watch.ends()[0].retryable) == ("engine_lost", True)
    await watch.works()


async def test_a_stuck_engine_is_killed_and_replaced(host: HostProcess, tmp_path: Path) -> None:
    watch = Watch(host, tmp_path, stuck_s=1.0)
    await watch.runner.load(SPEC)
    watch.submit("stuck")
    await watch.steps()
    host.engines()[0].suspend()
    await watch.until(lambda: watch.ends() != [])
    assert watch.ends()[0].code == "engine_lost"
    await watch.works()
    await watch.runner.close()


async def test_a_file_whose_engine_is_killed_three_times_is_quarantined(
    host: HostProcess, watch: Watch, tmp_path: Path
) -> None:
    await watch.runner.load(SPEC)
    for _ in range(3):
        await watch.until(lambda: watch.runner.ready)
        host.engines()[0].kill()
        await watch.until(lambda: not watch.runner.ready)
    await watch.until(lambda: (tmp_path / "quarantine" / "aa.json").exists())
    assert '"last_words"' in (tmp_path / "quarantine" / "aa.json").read_text()


async def test_a_killed_host_takes_its_engines_along_and_is_nobodys_fault_but_its_own(
    host: HostProcess, watch: Watch, tmp_path: Path
) -> None:
    await watch.runner.load(SPEC)
    for number in range(4):
        await watch.until(lambda: watch.runner.ready)
        watch.submit(f"lost{number}")
        await watch.steps()
        watch.frames.clear()
        orphans = host.kill()
        assert orphans
        await watch.until(lambda: watch.ends() != [], 5.0)
        assert watch.ends()[0].code == "engine_lost"
        _, alive = psutil.wait_procs(orphans, timeout=5.0)
        assert alive == []
        host.start()
    await watch.works()
    assert not (tmp_path / "quarantine").exists()


async def test_a_stopped_host_does_not_hold_up_the_end_for_ever(host: HostProcess, watch: Watch) -> None:
    await watch.runner.load(SPEC)
    engine, *_ = host.engines()
    engine.suspend()
    os.kill(host.process.pid, signal.SIGSTOP)
    began = time.monotonic()
    await watch.runner.release()
    assert time.monotonic() - began < 8.0
    os.kill(host.process.pid, signal.SIGCONT)
    _, alive = psutil.wait_procs([engine], timeout=5.0)
    assert alive == []


async def test_without_a_host_it_says_how_to_start_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "BACKOFF_S", (0.0,) * 6)
    runner = Runner(on_frame=print, on_offers=print, quarantine_dir=tmp_path, launch=hosted(tmp_path / "none.sock"))
    with pytest.raises(EngineAway, match="No such file") as caught:
        await runner.load(SPEC)
    assert "systemctl start iamine-engine.socket" in caught.value.hint
    await runner.close()


async def test_a_bad_file_is_refused_with_the_engines_own_words(watch: Watch, tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(b"nothing")
    with pytest.raises(EngineFailed, match="instead of"):
        await watch.runner.load(replace(SPEC, path=path))


def test_engines_die_with_an_agent_that_is_killed(host: HostProcess, tmp_path: Path) -> None:
    script = f"""
        import asyncio, pathlib
        from appliance.agent.runner import Runner, hosted
        from appliance.agent.types import ModelSpec
        async def main():
            runner = Runner(on_frame=print, on_offers=lambda o: None, quarantine_dir=pathlib.Path({str(tmp_path)!r}),
                            launch=hosted(pathlib.Path({str(host.path)!r})))
            await runner.load(ModelSpec(model="m", path=pathlib.Path({str(MOTE)!r}), file_sha256="a", exact=True, threads=1))
            print("up", flush=True)
            await asyncio.sleep(60)
        asyncio.run(main())
    """
    agent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True)
    assert agent.stdout is not None
    assert agent.stdout.readline() == "up\n"
    children = host.engines()
    assert children
    agent.kill()
    agent.wait()
    agent.stdout.close()
    _, alive = psutil.wait_procs(children, timeout=5.0)
    assert alive == []
    until(lambda: host.engines() == [])


def test_whoever_says_nothing_or_nonsense_gets_no_engine(host: HostProcess) -> None:
    for said in (b"", b"hello\n", HELLO, HELLO[:5]):  # HELLO without descriptors, too
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(str(host.path))
            link.send(said)
            link.shutdown(socket.SHUT_WR)
            link.settimeout(5.0)
            assert link.recv(100) == b""
    assert host.engines() == []


def test_another_user_gets_no_engine(host: HostProcess) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can become somebody else")
    host.path.chmod(0o666)
    for folder in (host.path.parent, *host.path.parent.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o011)
    script = "import os,socket,sys; os.setuid(65534); s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); print(s.recv(9))"
    done = subprocess.run([sys.executable, "-c", script, str(host.path)], capture_output=True, text=True, check=True)
    assert done.stdout == "b''\n"
    assert host.engines() == []
