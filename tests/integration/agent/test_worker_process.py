"""`iamine worker --auto` as a process of its own, against the tiny pool: serving, leaving in time, being refused."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from iamine.ids import JobId
from iamine.manifest import load
from iamine.wire.messages import ChatWork, Drain, Finished, Goodbye, Heartbeat, Job, Sampling, Started, Step
from tests.integration.agent.tiny_pool import TinyPool, listen, say_goodbye, send

MOTE_JOB = Job(
    job=JobId("job_1"),
    epoch=1,
    file_sha256="",
    work=ChatWork(messages=msgspec.Raw(b'[{"role":"user","content":"What is xyzzy?"}]')),
    sampling=Sampling(max_tokens=12, temperature=0.0),
    now=0.0,
)


def mote_job(**changes: object) -> Job:
    """A question for the bundled model."""
    mote = load().find("mote")
    assert mote
    return msgspec.structs.replace(MOTE_JOB, file_sha256=mote.file_sha256, **changes)


@asynccontextmanager
async def worker(pool: TinyPool, folder: Path, *more: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker process; its own output is in folder/log."""
    base = pool.url.replace("ws://", "http://").removesuffix("/v1/workers/connect")
    command = (sys.executable, "-m", "appliance.agent", "worker", "--auto", "--pool", base, "--data-dir", str(folder), *more)
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, stderr=log, stdout=log)
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def test_it_answers_and_leaves_within_two_seconds_when_told(tmp_path: Path) -> None:
    async with TinyPool(send(mote_job()), busy_s=1.0) as pool, worker(pool, tmp_path, "--name", "bench") as process:
        finished = await pool.until(lambda message: isinstance(message, Finished), 60)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0
        took = time.monotonic() - began
    assert isinstance(finished, Finished)
    ids = [token for message in pool.heard if isinstance(message, Step) for each in message.sequences for token in each.ids]
    assert len(ids) == finished.tokens
    assert any(isinstance(message, Started) and message.prompt_tokens > 0 for message in pool.heard)
    assert [type(message) for message in pool.heard[-2:]] == [Drain, Goodbye]
    assert took < 2
    log = (tmp_path / "log").read_text()
    assert "linked to tiny" in log
    assert "xyzzy" not in log


async def test_it_leaves_in_the_middle_of_an_answer(tmp_path: Path) -> None:
    endless = mote_job(sampling=Sampling(max_tokens=900, ignore_eos=True))
    async with TinyPool(send(endless)) as pool, worker(pool, tmp_path, "--max-tps", "5") as process:
        await pool.until(lambda message: isinstance(message, Step), 60)
        await pool.until(lambda message: isinstance(message, Heartbeat) and message.running == 1)
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 5) == 0
        await pool.until(lambda message: isinstance(message, Goodbye))


async def test_it_ends_with_its_own_code_when_it_is_refused_for_good(tmp_path: Path) -> None:
    async with TinyPool(say_goodbye("superseded", -1.0)) as pool, worker(pool, tmp_path) as process:
        assert await asyncio.wait_for(process.wait(), 60) == 3
    assert "--data-dir" in (tmp_path / "log").read_text()


async def test_it_says_what_to_do_when_the_model_is_not_at_hand(tmp_path: Path) -> None:
    async with TinyPool(listen) as pool, worker(pool, tmp_path, "--model", "none-such") as process:
        assert await asyncio.wait_for(process.wait(), 60) == 1
    log = (tmp_path / "log").read_text()
    assert "not at hand (at hand: mote)" in log
    assert "Traceback" not in log
    assert pool.connections == 0
