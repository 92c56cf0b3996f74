"""The pool dies by kill -9 in the middle of answers: clients that named their request go on where they were, token by token."""

import asyncio
import contextlib
import json
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx
import psutil
import pytest
from house import House, wait_for

from pool.store.embedded import running_dsn

MARK = "Zyxquorvane"
COUNT: Any = [{"role": "user", "content": "count from 1 to 60"}]
COUNTED = " ".join(str(number) for number in range(1, 61))
CLIENTS = 4


@dataclass
class Reader:
    """A client that keeps what it read up to the last event with an id, as one that resumes does."""

    house: House
    body: dict[str, Any]
    name: str | None = field(default_factory=lambda: str(uuid.uuid4()))
    path: str = "/v1/chat/completions"
    last_id: str = ""
    text: str = ""
    calls: list[Any] = field(default_factory=list)
    done: bool = False
    errors: list[dict[str, Any]] = field(default_factory=list)
    status: int = 0
    connections: int = 0
    x_iamine: dict[str, Any] = field(default_factory=dict)

    def headers(self) -> dict[str, str]:
        named = {} if self.name is None else {"Idempotency-Key": self.name}
        return self.house.headers | named | ({"Last-Event-ID": self.last_id} if self.last_id else {})

    def read(self, *, stop_after: int | None = None) -> None:
        """One connection, until it ends, breaks, or has told so many events with ids."""
        self.connections += 1
        body = {"stream": True, **self.body}
        pending, marks = "", 0
        url = self.house.url + self.path
        with (
            contextlib.suppress(httpx.HTTPError),
            httpx.stream("POST", url, json=body, headers=self.headers(), timeout=60) as response,
        ):
            self.status = response.status_code
            if response.status_code != 200:
                self.errors.append(json.loads(response.read())["error"])
                return
            for event in _events(response):
                pending += self._taken(event)
                if "id" in event or self.done or self.name is None:
                    self.text, pending = self.text + pending, ""
                    self.last_id = event.get("id", self.last_id)
                    marks += 1
                    if stop_after is not None and marks >= stop_after:
                        return

    def _taken(self, event: dict[str, str]) -> str:
        data = event.get("data", "")
        if data == "[DONE]":
            self.done = True
            return ""
        told = json.loads(data)
        if "error" in told:
            self.errors.append(told["error"])
            return ""
        self.x_iamine = told.get("x_iamine", self.x_iamine)
        return "".join(choice["delta"].get("content") or "" for choice in told["choices"])

    def read_on(self, limit_s: float = 60.0) -> None:
        """Come back until it is whole or refused."""
        deadline = time.monotonic() + limit_s
        while not self.done and not self.errors and time.monotonic() < deadline:
            self.read()
            time.sleep(0 if self.done else 0.1)


def _events(response: httpx.Response) -> Any:
    event: dict[str, str] = {}
    for line in response.iter_lines():
        if not line:
            if "data" in event:
                yield event
            event = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            event[name] = value


def greedy(**more: Any) -> dict[str, Any]:
    return {"model": "mote", "messages": COUNT, "temperature": 0, **more}


def slow_house(house: House, max_tps: int = 40) -> House:
    """A worker whose answers take seconds, so that a kill always hits them in the middle."""
    house.workers = 0
    house.start()
    house.worker("slow", "--max-tps", str(max_tps))
    house.wait_ready(workers=1)
    return house


def kill_pool(house: House) -> None:
    process = house.find(" iamine pool ")
    process.kill()
    process.wait(10)


def under_way(readers: list[Reader], characters: int = 20) -> list[threading.Thread]:
    threads = [threading.Thread(target=reader.read_on) for reader in readers]
    for thread in threads:
        thread.start()
    wait_for(lambda: all(len(reader.text) > characters for reader in readers), 30, "answers under way")
    return threads


async def table(house: House, name: str) -> list[str]:
    """All rows of a table as PostgreSQL shows them, bytes as they are."""
    connection = await asyncpg.connect(await running_dsn(house.data_dir))
    try:
        rows = await connection.fetch(f"SELECT * FROM {name}")
    finally:
        await connection.close()
    return ["|".join(v.decode("latin-1") if isinstance(v, bytes) else str(v) for v in row.values()) for row in rows]


TABLES = ("kept_answer", "kept_job", "kept_journal")


async def journal(house: House) -> list[str]:
    return [row for name in TABLES for row in await table(house, name)]


async def left(house: House) -> list[str]:
    """What is still written of answers a while after their end."""
    deadline = time.monotonic() + 20
    rows = await table(house, "kept_job") + await table(house, "kept_journal")
    while rows and time.monotonic() < deadline:
        rows = await table(house, "kept_job") + await table(house, "kept_journal")
    return rows


async def test_clients_go_on_where_they_were_when_the_pool_is_killed_twice(house: House) -> None:
    slow_house(house, max_tps=12)
    named = [Reader(house, greedy()) for _ in range(CLIENTS)]
    nameless = Reader(house, greedy(), name=None)
    threads = under_way(named)
    lost = threading.Thread(target=nameless.read)
    lost.start()
    wait_for(lambda: len(nameless.text) > 5, 20, "the one without a key is under way")
    kill_pool(house)
    lost.join(30)
    assert not nameless.done, "its connection broke"
    first = min(reader.connections for reader in named)
    had = [len(reader.text) for reader in named]
    wait_for(lambda: all(r.errors or len(r.text) > had[i] for i, r in enumerate(named)), 60, f"they go on: {named}")
    kill_pool(house)
    for thread in threads:
        thread.join(90)
    assert [reader.errors for reader in named] == [[]] * CLIENTS
    assert [reader.text for reader in named] == [COUNTED] * CLIENTS
    assert all(reader.done for reader in named) and max(reader.connections for reader in named) >= first + 1
    for reader in named:
        spans = reader.x_iamine["segments"]
        assert len(spans) == 1, spans
    told = (house.data_dir / "worker.out").read_text()
    assert f"{CLIENTS} running jobs go on without the link" in told and "1 running jobs are given up" in told
    house.wait_ready(workers=1)
    wait_for(lambda: house.status()["running"] == 0, 20, "no slot stays taken")
    assert await left(house) == [], "nothing is left of what was said"


def test_a_pool_that_is_stopped_and_started_again_goes_on_too(house: House) -> None:
    slow_house(house)
    reader, plain = Reader(house, greedy()), str(uuid.uuid4())

    def ask() -> httpx.Response:
        headers = house.headers | {"Idempotency-Key": plain}
        return httpx.post(f"{house.url}/v1/chat/completions", json=greedy(n=2), headers=headers, timeout=60)

    told: list[httpx.Response] = []
    threads = [threading.Thread(target=reader.read), threading.Thread(target=lambda: told.append(ask()))]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(reader.text) > 20, 30, "an answer under way")
    assert house.process is not None
    house.process.terminate()
    for thread in threads:
        thread.join(30)
    assert house.process.wait(30) == 0
    assert not reader.done and [error["code"] for error in reader.errors] == ["service_unavailable"]
    assert [(one.status_code, "retry-after" in one.headers) for one in told] == [(503, True)]
    reader.errors.clear()
    house.start()
    reader.read_on()
    assert (reader.errors, reader.text) == ([], COUNTED)
    answer = ask()
    assert [choice["message"]["content"] for choice in answer.json()["choices"]] == [COUNTED] * 2
    jobs = {row.split("|")[0] for row in asyncio.run(table(house, "job"))}
    assert len(jobs) == 2, "the same jobs went on"


async def test_with_the_worker_gone_too_another_one_writes_the_tail(house: House) -> None:
    slow_house(house)
    reader = Reader(house, greedy())
    (thread,) = under_way([reader], 60)
    kill_pool(house)
    agent = house.find(" iamine worker ", "--auto")
    for process in [agent, *agent.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    house.worker("other", "--max-tps", "40")
    thread.join(90)
    assert (reader.errors, reader.text, reader.done) == ([], COUNTED, True)
    assert len({span["worker"] for span in reader.x_iamine["segments"]}) == 2
    house.wait_ready(workers=1)
    wait_for(lambda: house.status()["running"] == 0, 20, "no slot stays taken")


async def test_nothing_in_the_database_can_be_read_and_the_journal_goes_with_the_answer(house: House) -> None:
    slow_house(house)
    said: Any = [{"role": "system", "content": f"This is for {MARK}."}, *COUNT]
    readers = [Reader(house, greedy(messages=said)), Reader(house, greedy())]
    threads = under_way(readers)
    deadline = time.monotonic() + 20
    rows = await journal(house)
    while len(rows) < 6 and time.monotonic() < deadline:
        rows = await journal(house)
    assert len(rows) >= 6
    told = "\n".join(rows)
    for secret in (MARK, "count from", "1 2 3 4", "5 6 7", readers[1].name or "", house.key.split("_")[2]):
        assert secret not in told
    jobs = "\n".join([row for name in ("job", "job_segment") for row in await table(house, name)])
    assert MARK not in jobs and "1 2 3" not in jobs
    for thread in threads:
        thread.join(60)
    assert readers[1].text == COUNTED
    wait_for(lambda: all(reader.done for reader in readers), 30, "both are whole")
    assert await left(house) == []
    assert all("|True||" in row for row in await table(house, "kept_answer")), "only that the keys were used is known"
    assert ["|iamine/" in row for row in await table(house, "worker")] == [True], "the worker's program is on record"


@pytest.mark.parametrize("harm", ["hash", "job", "nonsense"])
def test_a_client_that_read_something_else_is_told_so(shared: House, harm: str) -> None:
    reader = Reader(shared, greedy())
    reader.read(stop_after=10)
    job, tokens, crc = reader.last_id.split(":")
    reader.last_id = {"hash": f"{job}:{tokens}:{int(crc, 16) ^ 1:08x}", "job": f"job_no:{tokens}:{crc}", "nonsense": "x"}[harm]
    before, reader.done = reader.text, False  # a quick worker may have told all of it in ten events
    reader.read()
    assert not reader.done and reader.text == before
    assert (reader.status, reader.errors[0]["code"]) == {
        "hash": (200, "resume_mismatch"),
        "job": (409, "resume_lost"),
        "nonsense": (400, "invalid_value"),
    }[harm]
    again = Reader(shared, greedy(), name=reader.name)
    again.read()
    assert (again.text, again.done) == (COUNTED, True), "from its beginning it can still be had"


def test_a_connection_that_breaks_is_taken_up_again_and_an_answer_may_be_told_twice(shared: House) -> None:
    reader = Reader(shared, greedy())
    while not reader.done and not reader.errors:
        reader.read(stop_after=7)
    assert (reader.text, reader.errors) == (COUNTED, [])
    again = Reader(shared, greedy(), name=reader.name)
    again.read()
    assert again.text == COUNTED
    assert again.x_iamine["job"] == reader.x_iamine["job"]
    headers = {"Idempotency-Key": str(reader.name)}
    sdk = shared.client().chat.completions.create(
        model="mote", messages=COUNT, temperature=0, stream=True, extra_headers={"Idempotency-Key": str(uuid.uuid4())}
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in sdk if chunk.choices) == COUNTED
    whole = httpx.post(f"{shared.url}/v1/chat/completions", json=greedy(), headers=shared.headers | headers, timeout=60)
    assert whole.status_code == 422, "the plain form is another request"


def test_a_key_belongs_to_one_request(shared: House) -> None:
    def post(body: dict[str, Any], name: str) -> httpx.Response:
        url = f"{shared.url}/v1/chat/completions"
        return httpx.post(url, json=body, headers=shared.headers | {"Idempotency-Key": name}, timeout=60)

    name = str(uuid.uuid4())
    first, second = post(greedy(), name), post(greedy(), name)
    assert first.status_code == 200 and first.content == second.content
    other = post(greedy(max_tokens=3), name)
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_key_reused")
    assert post(greedy(), "x" * 256).json()["error"]["param"] == "Idempotency-Key"
