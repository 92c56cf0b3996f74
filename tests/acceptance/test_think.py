"""The think tool with real inference: mote as the micro-model that calls it, mote under another name as the large one."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from house import House, free_port, wait_for
from pools import named_worker, start_pool

CONFIG = '[model_tiers]\nmote-large = "large"\n'
QUESTION = "why is photosynthesis important?"
WEATHER: Any = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One pool for all tests but the last; the one before it takes the large worker away."""
    house = House(tmp_path_factory.mktemp("two"), free_port())
    try:
        start_pool(house, CONFIG)
        house.worker("small")
        named_worker(house, "mote-large")
        house.wait_ready(workers=2)
        yield house
    finally:
        house.end()


def body(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "mote", "messages": [{"role": "user", "content": text}], "temperature": 0} | more


def ask(house: House, headers: dict[str, str] | None = None, **request: Any) -> dict[str, Any]:
    reply = httpx.post(
        f"{house.url}/v1/chat/completions", json=request, headers=house.headers | (headers or {}), timeout=60
    )  # fmt: skip
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def test_a_small_model_asks_a_larger_one_and_the_client_sees_one_answer(two: House) -> None:
    alone = ask(two, {"x-iamine-think": "off"}, **body(QUESTION))
    assert "thinks" not in alone["x_iamine"]
    answer = ask(two, **body(QUESTION))
    about, choice, usage = answer["x_iamine"], answer["choices"][0], answer["usage"]
    print(json.dumps(answer, indent=1))
    assert answer["model"] == "mote"
    assert choice["finish_reason"] == "stop"
    assert "tool_calls" not in choice["message"]
    assert "tool_call" not in choice["message"]["content"] and choice["message"]["content"]
    (think,) = about["thinks"]
    assert (think["model"], think["answered"]) == ("mote-large", True) and think["tokens"] > 0
    own = sum(one["to"] - one["from"] for one in about["segments"])
    assert usage["completion_tokens"] == own + think["tokens"]
    assert think["tokens"] < usage["completion_tokens_details"]["reasoning_tokens"] < usage["completion_tokens"]
    assert think["worker"] not in {one["worker"] for one in about["segments"]}


def test_the_same_as_a_stream(two: House) -> None:
    request = body(QUESTION, stream=True, stream_options={"include_usage": True}, n=2)
    with httpx.stream("POST", f"{two.url}/v1/chat/completions", json=request, headers=two.headers, timeout=60) as reply:
        lines = [line for line in reply.iter_lines() if line]
    chunks = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    assert [line for line in lines if line.startswith(": think model=mote-large")]
    assert lines[-1] == "data: [DONE]"
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert {chunk["model"] for chunk in chunks} == {"mote"}
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    assert not any("tool_calls" in delta for delta in deltas)
    texts = ["", ""]
    for chunk in chunks:
        for choice in chunk["choices"]:
            texts[choice["index"]] += choice["delta"].get("content") or ""
    assert texts[0] == texts[1] == ask(two, **body(QUESTION))["choices"][0]["message"]["content"]
    assert len(chunks[-1]["x_iamine"]["thinks"]) == 2


def test_beside_a_clients_tools_it_never_shows_and_theirs_still_work(two: House) -> None:
    answer = ask(two, **body(QUESTION, tools=[WEATHER]))
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert len(answer["x_iamine"]["thinks"]) == 1
    called = ask(two, **body("What is the weather in Paris?", tools=[WEATHER]))
    (call,) = called["choices"][0]["message"]["tool_calls"]
    assert (call["function"]["name"], called["choices"][0]["finish_reason"]) == ("weather", "tool_calls")
    assert "thinks" not in called["x_iamine"]


def test_it_is_off_where_the_client_says_what_the_answer_is(two: House) -> None:
    for more in (
        {"tools": [WEATHER], "tool_choice": "none"},
        {"tools": [WEATHER], "tool_choice": "required"},
        {"response_format": {"type": "json_object"}},
        {"stop": ["."]},
    ):
        assert "thinks" not in ask(two, **body(QUESTION, max_tokens=40, **more))["x_iamine"]
    assert "thinks" not in ask(two, **body(QUESTION, model="mote-large"))["x_iamine"]
    reply = httpx.post(
        f"{two.url}/v1/chat/completions", json=body(QUESTION), headers=two.headers | {"x-iamine-think": "never"}, timeout=60
    )  # fmt: skip
    assert reply.status_code == 400


def test_it_is_off_when_no_larger_model_lives(two: House) -> None:
    two.extra[1].terminate()
    wait_for(lambda: two.status()["workers"] == 1, 20, "the large worker is gone")
    answer = ask(two, **body(QUESTION))
    assert "thinks" not in answer["x_iamine"]


def test_a_larger_model_that_dies_while_it_thinks_costs_only_its_answer(house: House) -> None:
    start_pool(house, "think_timeout_s = 4.0\n" + CONFIG)
    house.worker("small")
    large = named_worker(house, "mote-large", "--max-tps", "3")
    house.wait_ready(workers=2)
    seen: list[dict[str, Any]] = []
    thread = threading.Thread(target=lambda: seen.append(ask(house, **body(QUESTION))))
    thread.start()
    wait_for(lambda: house.status()["running"] == 1 and is_thinking(house), 20, "a thought under way")
    large.kill()
    thread.join(60)
    (answer,) = seen
    assert answer["choices"][0]["finish_reason"] == "stop" and answer["choices"][0]["message"]["content"]
    assert [one["answered"] for one in answer["x_iamine"]["thinks"]] == [False]


def is_thinking(house: House) -> bool:
    """Whether the slow large worker has something to do: the small one's part takes a tenth of a second."""
    time.sleep(0.6)
    return bool(house.status()["running"] == 1)
