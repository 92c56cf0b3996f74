"""Names that stand for whichever model fits, against `iamine up` with mote, which is all that lives: the micro tier."""

from typing import Any

import pytest
from house import House
from openai import OpenAI

COUNT: Any = [{"role": "user", "content": "count from 3 to 12"}]
COUNTED = "3 4 5 6 7 8 9 10 11 12"


def told(answer: Any) -> tuple[str, bool, str]:
    about = answer.model_extra["x_iamine"]
    return about["tier"], about["degraded"], about["reason"]


@pytest.mark.parametrize(
    ("name", "degraded", "reason"),
    [
        ("mote", False, "asked by name"),
        ("iamine-auto", False, "short talk"),
        ("iamine-micro", False, "asked by tier"),
        ("iamine-large", True, "asked by tier; no large model for it now"),
        ("gpt-4o-mini", True, "asked by tier; no small model for it now"),
    ],
)
def test_mote_answers_to_every_name_and_says_so(client: OpenAI, name: str, degraded: bool, reason: str) -> None:
    answer = client.chat.completions.create(model=name, messages=COUNT, temperature=0)
    assert answer.choices[0].message.content == COUNTED
    assert answer.model == "mote", "the model that answered"
    assert told(answer) == ("micro", degraded, reason)


def test_a_stream_tells_the_tier_in_its_last_chunk(client: OpenAI) -> None:
    chunks = list(client.chat.completions.create(model="iamine-auto", messages=COUNT, temperature=0, stream=True))
    assert {chunk.model for chunk in chunks} == {"mote"}
    assert told(chunks[-1]) == ("micro", False, "short talk")


def test_tools_work_under_a_tiers_name_too(client: OpenAI) -> None:
    tools: Any = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    messages: Any = [{"role": "user", "content": "What is the weather in Paris?"}]
    answer = client.chat.completions.create(model="iamine-auto", messages=messages, tools=tools, temperature=0)
    assert answer.choices[0].finish_reason == "tool_calls"
    assert told(answer) == ("micro", True, "tools; no small model for it now")


def test_the_limits_are_told(shared: House) -> None:
    response = shared.client().chat.completions.with_raw_response.create(model="iamine-auto", messages=COUNT)
    assert response.headers["x-ratelimit-limit-requests"] == "6000"
    assert 0 < int(response.headers["x-ratelimit-remaining-requests"]) <= 6000, "100 come back each second"
    assert 0 < int(response.headers["x-ratelimit-remaining-tokens"]) <= int(response.headers["x-ratelimit-limit-tokens"])
