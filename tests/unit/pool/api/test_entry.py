"""The way in: what a key may ask for in a minute, and what every answer tells of it."""

import httpx
from fakes.poolserver import served
from fakes.records import KEY

from pool.api.settings import Settings

AUTH = {"authorization": f"Bearer {KEY}"}
CHAT = {"model": "mote", "messages": [{"role": "user", "content": "Hello"}]}
EMPTY = {"model": "mote", "messages": []}


async def test_every_answer_of_a_key_tells_what_is_left() -> None:
    settings = Settings(tokens_per_minute=1000, requests_per_minute=6)
    async with served(settings) as pool, httpx.AsyncClient(base_url=pool.url, headers=AUTH) as http:
        plain = await http.post("/v1/chat/completions", json=CHAT)
        assert plain.headers["x-ratelimit-limit-requests"] == "6"
        assert plain.headers["x-ratelimit-remaining-requests"] == "5"
        after = await http.get("/v1/models")
        assert after.headers["x-ratelimit-limit-tokens"] == "1000"
        assert int(after.headers["x-ratelimit-remaining-tokens"]) >= 985, "7 read and 2 written, not the estimate"
        assert after.headers["x-ratelimit-reset-tokens"].endswith("s")
        streamed = await http.post("/v1/chat/completions", json=CHAT | {"stream": True})
        assert "x-ratelimit-remaining-tokens" in streamed.headers
        assert "x-ratelimit-limit-requests" not in (await http.get("/v1/models", headers={"authorization": "x"})).headers


async def test_too_many_requests_a_minute_are_a_429_that_says_when_to_come_back() -> None:
    settings = Settings(requests_per_minute=2)
    async with served(settings) as pool, httpx.AsyncClient(base_url=pool.url, headers=AUTH) as http:
        assert (await http.post("/v1/chat/completions", json=CHAT)).status_code == 200
        assert (await http.post("/v1/embeddings", json={})).status_code == 400
        refused = await http.post("/v1/completions", json={"model": "mote", "prompt": "x"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")
        assert 25 <= int(refused.headers["retry-after"]) <= 30
        assert refused.headers["x-ratelimit-remaining-requests"] == "0"
        assert len(pool.hub.orders) == 1


async def test_tokens_are_counted_before_and_after_and_a_request_that_failed_costs_none() -> None:
    async with served(Settings(tokens_per_minute=100)) as pool, httpx.AsyncClient(base_url=pool.url, headers=AUTH) as http:
        long = CHAT | {"messages": [{"role": "user", "content": "x" * 300}]}
        for _ in range(3):
            assert (await http.post("/v1/chat/completions", json=long | {"model": "none"})).status_code == 404
        assert (await http.post("/v1/chat/completions", json=long)).status_code == 200
        for _ in range(2):
            await http.post("/v1/chat/completions", json=long)
        refused = await http.post("/v1/chat/completions", json=long)
        assert refused.status_code == 429
        assert "tokens" in refused.json()["error"]["message"]


async def test_a_large_body_for_which_there_is_no_room_now_is_a_503_and_small_ones_are_taken() -> None:
    async with served(Settings(max_bodies_bytes=1000)) as pool, httpx.AsyncClient(base_url=pool.url, headers=AUTH) as http:
        large = CHAT | {"messages": [{"role": "user", "content": "x" * 100_000}]}
        refused = await http.post("/v1/chat/completions", json=large)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "service_unavailable")
        assert refused.headers["retry-after"]
        assert (await http.post("/v1/chat/completions", json=CHAT)).status_code == 200
