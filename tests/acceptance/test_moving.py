"""Models that go away for good: who waits moves, and who was answered is answered on by another model."""

import json
import threading
from typing import Any

import httpx
from house import House, wait_for
from pools import named_worker, start_pool

CONFIG = 'same_model_wait_s = 2.0\nthink_tiers = []\n[model_tiers]\nmote-a = "small"\nmote-b = "medium"\n'
COUNTED = " ".join(str(number) for number in range(1, 61))
TOLD: Any = {"include_usage": True}


class Client(threading.Thread):
    """A streaming client; it keeps every line."""

    def __init__(self, house: House, **request: Any) -> None:
        super().__init__()
        self.house, self.request = house, request
        self.lines: list[str] = []
        self.start()

    def run(self) -> None:
        with httpx.stream(
            "POST", f"{self.house.url}/v1/chat/completions", json=self.request, headers=self.house.headers, timeout=90
        ) as reply:
            self.lines.extend(line for line in reply.iter_lines() if line)

    @property
    def chunks(self) -> list[dict[str, Any]]:
        return [json.loads(line[6:]) for line in list(self.lines) if line.startswith("data: {")]

    @property
    def text(self) -> str:
        return "".join(c["delta"].get("content") or "" for chunk in self.chunks for c in chunk["choices"])


def counting(house: House, model: str, **more: Any) -> Client:
    messages = [{"role": "user", "content": "count from 1 to 60"}]
    return Client(house, model=model, messages=messages, temperature=0, stream=True, stream_options=TOLD, **more)


def test_an_answer_goes_on_and_a_queued_one_moves_when_their_model_is_gone(house: House) -> None:
    start_pool(house, CONFIG)
    only = named_worker(house, "mote-a", "--slots", "1", "--max-tps", "20")
    named_worker(house, "mote-b")
    house.wait_ready(workers=2)
    begun = counting(house, "iamine-small")
    wait_for(lambda: begun.text.count(" ") > 20, 30, "an answer under way")
    queued = counting(house, "mote-a")
    wait_for(lambda: house.status()["queued"] == 1, 10, "one that waits")
    only.kill()
    begun.join(90)
    queued.join(90)
    for client in (begun, queued):
        assert client.lines[-1] == "data: [DONE]", client.lines[-3:]
        assert client.text == COUNTED
    last = begun.chunks[-1]
    segments = last["x_iamine"]["segments"]
    assert [one.get("model") for one in segments] == ["mote-a", None]
    assert (segments[0]["from"], segments[0]["to"]) == (0, segments[1]["from"])
    assert last["usage"]["completion_tokens"] == segments[1]["to"]
    assert last["x_iamine"]["reason"] == "mote-a was lost in the middle; goes on from its text"
    assert [line for line in begun.lines if line.startswith(": moved model=mote-b tier=medium")]
    models = [chunk["model"] for chunk in begun.chunks]
    assert models == sorted(models) and set(models) == {"mote-a", "mote-b"}
    assert {chunk["model"] for chunk in queued.chunks[-20:]} == {"mote-b"}
    assert queued.chunks[-1]["x_iamine"]["reason"] == "no worker offers mote-a now"
    assert [line for line in queued.lines if line.startswith(": moved model=mote-b tier=medium reason=no worker offers")]
