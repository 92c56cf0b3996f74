"""Another IAMINE pool as the upstream provider: asked when nobody here can; its failures reach no client."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from house import House, free_port, wait_for
from pools import start_pool
from test_moving import COUNTED, counting

WEATHER: Any = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[House]:
    """The other pool, with one worker."""
    other = House(tmp_path / "provider", free_port())
    try:
        start_pool(other)
        other.worker("theirs", "--max-tps", "20")
        other.wait_ready(workers=1)
        yield other
    finally:
        other.end()


def with_upstream(house: House, provider: House) -> House:
    house.data_dir.mkdir(parents=True)
    key = house.data_dir / "upstream.key"
    key.write_text(provider.key + "\n")
    return start_pool(
        house, f'[upstream]\nurl = "{provider.url}/v1"\napi_key_file = "{key}"\nmodel = "mote"\nafter_s = 0.5\n'
    )  # fmt: skip


def post(house: House, text: str, **more: Any) -> dict[str, Any]:
    body = {"model": "iamine-auto", "messages": [{"role": "user", "content": text}], "temperature": 0} | more
    reply = httpx.post(f"{house.url}/v1/chat/completions", json=body, headers=house.headers, timeout=60)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def test_nobody_here_so_the_provider_answers(house: House, provider: House) -> None:
    with_upstream(house, provider)
    answer = post(house, "count from 3 to 12")
    assert answer["choices"][0]["message"]["content"] == "3 4 5 6 7 8 9 10 11 12"
    about = answer["x_iamine"]
    assert about["reason"] == "answered by the upstream provider"
    assert [one["worker"] for one in about["segments"]] == ["upstream"]
    assert answer["model"] == "mote" and answer["usage"]["completion_tokens"] == about["segments"][0]["to"] > 0
    assert answer["usage"]["prompt_tokens"] > 0
    called = post(house, "What is the weather in Paris?", tools=[WEATHER])
    assert called["choices"][0]["finish_reason"] == "tool_calls"
    assert called["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "weather"
    stream = counting(house, "iamine-auto")
    stream.join(60)
    assert stream.lines[-1] == "data: [DONE]" and stream.text == COUNTED


def test_a_provider_that_dies_in_the_middle_is_taken_over_from_by_a_worker_here(house: House, provider: House) -> None:
    with_upstream(house, provider)
    stream = counting(house, "iamine-auto")
    wait_for(lambda: stream.text.count(" ") > 10, 60, "the provider's answer under way")
    provider.find("iamine", "pool", "--data-dir").kill()
    wait_for(lambda: house.status()["queued"] == 1, 30, "what was broken off waits")
    house.worker("ours")
    stream.join(60)
    assert stream.lines[-1] == "data: [DONE]", stream.lines[-3:]
    assert stream.text == COUNTED
    assert [one["worker"] == "upstream" for one in stream.chunks[-1]["x_iamine"]["segments"]] == [True, False]


def test_a_provider_that_is_away_is_no_error_while_a_worker_may_still_come(house: House, provider: House) -> None:
    with_upstream(house, provider)
    provider.stop()
    stream = counting(house, "iamine-auto")
    threading.Event().wait(3)
    assert stream.is_alive() and any(line.startswith(": queued position=1") for line in stream.lines), stream.lines
    house.worker("ours")
    stream.join(60)
    assert stream.lines[-1] == "data: [DONE]" and stream.text == COUNTED
    assert json.loads(stream.lines[-2][6:])["x_iamine"]["segments"][0]["worker"].startswith("wrk_")
