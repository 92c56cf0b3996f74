"""GET /v1/jobs/{id}."""

import httpx
from fakes.poolserver import served
from fakes.records import KEY

ASKED = {"model": "mote", "messages": [{"role": "user", "content": "a secret question"}]}


async def test_an_answers_job_is_told_without_its_text() -> None:
    async with served() as pool, httpx.AsyncClient(base_url=pool.url, headers={"authorization": f"Bearer {KEY}"}) as http:
        answer = (await http.post("/v1/chat/completions", json=ASKED)).json()
        reply = await http.get(f"/v1/jobs/{answer['x_iamine']['job']}")
        told = reply.json()
        assert (reply.status_code, told["object"], told["status"], told["model"]) == (200, "iamine.job", "complete", "mote")
        assert (told["tier"], told["tier_reason"], told["degraded"]) == ("micro", "asked by name", False)
        assert told["usage"] == {key: answer["usage"][key] for key in ("prompt_tokens", "completion_tokens", "total_tokens")}
        assert told["segments"] == [{"worker": "wrk_fake", "from": 0, "to": 2}] and told["takeovers"] == []
        assert (await http.get(f"/v1/jobs/{answer['id']}")).json() == told
        assert told["finished_at"] >= told["created_at"]
        assert "secret" not in reply.text and "Hello" not in reply.text


async def test_it_needs_a_key_and_a_job_of_ones_own() -> None:
    async with served() as pool, httpx.AsyncClient(base_url=pool.url) as http:
        assert (await http.get("/v1/jobs/job_x")).status_code == 401
        reply = await http.get("/v1/jobs/job_x", headers={"authorization": f"Bearer {KEY}"})
        assert reply.status_code == 404
        assert reply.json()["error"]["code"] == "job_not_found"
