"""/healthz, /readyz, /v1/status and /metrics."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fakes.hub import FakeHub, card
from fakes.poolserver import Served, served
from fakes.records import KEY

from pool.api.settings import Settings

AUTH = {"authorization": f"Bearer {KEY}"}


@pytest.fixture
async def pool() -> AsyncIterator[Served]:
    cards = (card("embed", kind="embedding"), card("b", workers=0), card("a", workers=0), card("z"))
    async with served(Settings(name="Test pool", version="1.2"), FakeHub(cards=cards)) as running:
        yield running


@pytest.fixture
async def http(pool: Served) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=pool.url) as client:
        yield client


async def test_alive_is_not_ready(pool: Served, http: httpx.AsyncClient) -> None:
    assert (await http.get("/readyz")).json() == {"status": "ready"}
    pool.health.reason = "the database is away"
    ready = await http.get("/readyz")
    assert (ready.status_code, ready.json()) == (503, {"status": "not ready", "reason": "the database is away"})
    assert (await http.get("/healthz")).json() == {"status": "alive"}


async def test_the_status_counts(http: httpx.AsyncClient) -> None:
    told = (await http.get("/v1/status")).json()
    assert told.pop("uptime_s") >= 0
    models = told.pop("models")
    assert told == {"name": "Test pool", "version": "1.2", "workers": 1, "resting": 0, "running": 0, "queued": 0, "lacks": []}
    assert [model["id"] for model in models] == ["z", "a", "b", "embed"]


async def test_metrics_are_for_this_machine_or_a_key(http: httpx.AsyncClient) -> None:
    body = {"model": "z", "messages": [{"role": "user", "content": "x"}]}
    await http.post("/v1/chat/completions", json=body, headers=AUTH)
    await http.post("/v1/chat/completions", json=body | {"stream": True}, headers=AUTH)
    reply = await http.get("/metrics")
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    names = {line.split("{")[0].split(" ")[0] for line in reply.text.splitlines() if not line.startswith("#")}
    assert all(name.startswith("iamine_") for name in names)
    assert 'iamine_answers_total{end="complete",route="chat"} 2.0' in reply.text
    assert 'iamine_tokens_total{kind="completion"} 4.0' in reply.text
    assert "iamine_answers_running 0.0" in reply.text
    assert "iamine_first_token_seconds_count 2.0" in reply.text
    proxied = {"x-forwarded-for": "192.0.2.1"}
    assert (await http.get("/metrics", headers=proxied)).status_code == 401
    assert (await http.get("/metrics", headers=proxied | AUTH)).status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/readyz", "/metrics", "/v1/status", "/v1/models", "/v1/models/z", "/openapi.json"]
)
async def test_head_works_wherever_get_does(http: httpx.AsyncClient, path: str) -> None:
    got, head = await http.get(path, headers=AUTH), await http.head(path, headers=AUTH)
    assert (head.status_code, head.content) == (got.status_code, b"") == (200, b"")
    assert head.headers["content-type"] == got.headers["content-type"]
