"""Bad weather at a real pool: a crowd of workers back at once, monstrous bodies (figures: bench/storm.py)."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import psutil
import pytest
from fakes.wire import MODEL, WireWorker, offer, text
from house import ROOT, free_port, wait_for

CROWD = 200
MB = 1024 * 1024
ASKED = {"model": MODEL, "messages": [{"role": "user", "content": "Count."}], "max_tokens": 5}
CONFIG = "per_key_concurrency = 1000\nrequests_per_minute = 100000000\nmax_bodies_bytes = 67108864\n"


class Pool:
    """A pool process without workers of its own."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        config = folder / "pool.toml"
        config.write_text(CONFIG)
        where = ["--port", str(self.port), "--data-dir", str(folder / "data"), "--config", str(config)]
        with (folder / "pool.out").open("ab") as out:
            self.process = subprocess.Popen([sys.executable, "-m", "iamine", "pool", *where], stdout=out, stderr=out, cwd=ROOT)
        client = folder / "data" / "client.json"
        wait_for(client.exists, 90, "pool ready")
        self.headers = {"Authorization": f"Bearer {json.loads(client.read_text())['api_key']}"}

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", headers=self.headers, timeout=120, trust_env=False)

    def memory_mb(self) -> float:
        return float(psutil.Process(self.process.pid).memory_info().rss) / MB


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    pool = Pool(tmp_path_factory.mktemp("weather"))
    yield pool
    pool.process.terminate()
    assert pool.process.wait(30) == 0


@asynccontextmanager
async def served(pool: Pool) -> AsyncIterator[httpx.AsyncClient]:
    """A client, and an instant worker behind the pool."""
    worker = await WireWorker(pool.port, (offer(),)).join()
    task = asyncio.create_task(worker.serve())
    async with pool.client() as http:
        yield http
    await worker.close()
    await task


async def ask(http: httpx.AsyncClient, *, stream: bool = False) -> None:
    """One question; the answer must be whole."""
    reply = await http.post("/v1/chat/completions", json=ASKED | {"stream": stream})
    assert reply.status_code == 200, reply.text
    if not stream:
        assert reply.json()["choices"][0]["message"]["content"] == text(5)
        return
    *events, done, _ = reply.text.split("\n\n")
    assert done == "data: [DONE]"
    deltas = [json.loads(event[6:])["choices"][0]["delta"] for event in events if event.startswith("data: ")]
    assert "".join(delta.get("content") or "" for delta in deltas) == text(5)


async def test_a_crowd_of_workers_that_comes_back_at_once_is_taken_while_requests_flow(pool: Pool) -> None:
    crowd = [WireWorker(pool.port) for _ in range(CROWD)]
    async with served(pool) as http:
        await asyncio.gather(*(worker.join() for worker in crowd))
        for worker in crowd:
            worker.cut()
        back = asyncio.gather(*(worker.join() for worker in crowd))
        answers = 0
        while not back.done():
            await ask(http, stream=answers % 2 == 0)
            answers += 1
        await back
        assert answers > 0
        assert (await http.get("/v1/status")).json()["workers"] == CROWD + 1
        await asyncio.gather(*(worker.close() for worker in crowd))


async def monster(http: httpx.AsyncClient) -> int:
    """100 MB of which the head says nothing; the connection may be cut once that is too much."""

    async def body() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * MB

    try:
        return (await http.post("/v1/chat/completions", content=body())).status_code
    except (httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
        return 0


async def test_monstrous_bodies_are_refused_in_bounded_memory(pool: Pool) -> None:
    async with served(pool) as http, pool.client() as strangers:
        await ask(http)
        before_mb = pool.memory_mb()
        codes = await asyncio.gather(*(monster(strangers) for _ in range(8)), ask(http))
        assert set(codes) <= {0, 413, 503, None}
        assert pool.memory_mb() - before_mb < 400, "64 MB for bodies, twice for a moment, and what the allocator keeps"
        deep = b'{"model": "x", "messages": ' + b"[" * 1_000_000
        reply = await http.post("/v1/chat/completions", content=deep)
        assert (reply.status_code, reply.json()["error"]["code"]) == (400, "invalid_json")
        await ask(http)
