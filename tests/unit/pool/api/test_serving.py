"""A plain answer's headers tell where it came from."""

from fakes.hub import WORKER
from fakes.poolserver import served
from fakes.records import KEY
from httpx import AsyncClient

from iamine.ids import JobId, ModelId, WorkerId
from pool.api.serving import origin_headers
from pool.openai.types import Chosen, Origin, Span


def span(worker: str, choice: int = 0) -> Span:
    return Span(worker=WorkerId(worker), start=0, stop=1, choice=choice)


def test_takeovers_are_counted_in_each_choice() -> None:
    chosen = Chosen(tier="small", degraded=True, reason="why")
    spans = (span("a"), span("b"), span("a"), span("b", 1))
    told = origin_headers(Origin(job=JobId("j"), model=ModelId("m"), spans=spans, chosen=chosen))
    assert told == {
        "x-iamine-job": "j",
        "x-iamine-workers": "a, b",
        "x-iamine-takeovers": "2",
        "x-iamine-tier": "small",
        "x-iamine-degraded": "true",
    }
    assert origin_headers(Origin(job=JobId("j"), model=ModelId("m"), spans=()))["x-iamine-takeovers"] == "0"


async def test_a_plain_answer_has_them() -> None:
    async with served() as pool, AsyncClient(base_url=pool.url, headers={"authorization": f"Bearer {KEY}"}) as http:
        body = {"model": "mote", "messages": [{"role": "user", "content": "x"}]}
        reply = await http.post("/v1/chat/completions", json=body)
        assert reply.headers["x-iamine-job"] == reply.json()["x_iamine"]["job"]
        assert reply.headers["x-iamine-workers"] == WORKER
