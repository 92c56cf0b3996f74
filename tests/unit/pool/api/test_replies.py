"""What goes with every response: request ids, and CORS for the origins that the operator allows."""

from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

import httpx
import pytest
from fakes.poolserver import served
from fakes.records import KEY

from pool.api.settings import Settings

PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "authorization, x-stainless-os"}
OURS = "https://chat.example"


@pytest.mark.parametrize(
    ("origins", "origin", "allowed"),
    [({OURS}, OURS, True), ({"*"}, "https://any.example", True), ({OURS}, "https://evil.example", False), (set(), OURS, False)],
)
async def test_only_allowed_origins_may_read(origins: set[str], origin: str, allowed: bool) -> None:
    async with served(Settings(cors_origins=frozenset(origins))) as pool, httpx.AsyncClient(base_url=pool.url) as http:
        preflight = await http.options("/v1/chat/completions", headers={"origin": origin} | PREFLIGHT)
        assert preflight.status_code == 204
        body = {"model": "mote", "messages": [{"role": "user", "content": "x"}], "stream": True}
        key = {"authorization": f"Bearer {KEY}"}
        answer = await http.post("/v1/chat/completions", json=body, headers={"origin": origin} | key)
        refusal = await http.get("/v1/models", headers={"origin": origin})
        assert (answer.status_code, refusal.status_code) == (200, 401)
        for reply in (preflight, answer, refusal):
            assert reply.headers.get("access-control-allow-origin") == (origin if allowed else None)
            assert ("vary" in reply.headers) == bool(origins)
        if allowed:
            assert preflight.headers["access-control-allow-headers"] == "authorization, x-stainless-os"
            assert "POST" in preflight.headers["access-control-allow-methods"]


async def test_every_response_has_an_id_of_ours() -> None:
    async with served() as pool, httpx.AsyncClient(base_url=pool.url) as http:
        sent = {"x-request-id": "mine"}
        ids = [(await http.get(path, headers=sent)).headers["x-request-id"] for path in ("/", "/healthz", "/nope")]
        assert all(one.startswith("req_") for one in ids)
        assert len(set(ids)) == 3


async def test_every_response_tells_the_pools_time() -> None:
    async with served() as pool, httpx.AsyncClient(base_url=pool.url) as http:
        told = parsedate_to_datetime((await http.get("/healthz")).headers["date"])
        assert abs((datetime.now(timezone.utc) - told).total_seconds()) < 60
