"""kill -9 of each process in turn while requests run: everything is back by itself, or at the next start."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import openai
import psutil
import pytest
from house import House, free_port, wait_for
from pools import start_pool
from test_moving import counting

MESSAGES: Any = [{"role": "user", "content": "count from 1 to 60"}]
COUNTED = " ".join(str(number) for number in range(1, 61))
CLIENTS = 4


@dataclass
class Traffic:
    """Clients that ask again and again, as applications do: a retryable error is retried, a wrong answer is kept."""

    house: House
    done: int = 0
    wrong: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    stopping: bool = False
    threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> "Traffic":
        key, url = self.house.key, f"{self.house.url}/v1"
        self.threads = [threading.Thread(target=self._ask, args=(key, url)) for _ in range(CLIENTS)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping = True
        for thread in self.threads:
            thread.join(60)

    def _ask(self, key: str, url: str) -> None:
        client = self.house.client(base_url=url, api_key=key, timeout=60)
        while not self.stopping:
            try:
                stream = client.chat.completions.create(model="mote", messages=MESSAGES, temperature=0, stream=True)
                text = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
            except (openai.APIError, OSError) as error:
                self.errors.append(f"{type(error).__name__}: {error}")
                time.sleep(0.2)
                continue
            except Exception as error:  # noqa: BLE001 - httpx's own errors come through the SDK's stream
                self.errors.append(f"{type(error).__name__}: {error}")
                time.sleep(0.2)
                continue
            self.done += 1
            if text != COUNTED:
                self.wrong.append(text)

    def flows(self, more: int = 8) -> None:
        """Some more answers come."""
        target = self.done + more
        wait_for(lambda: self.done >= target, 60, f"{more} more answers after {self.done} (errors: {self.errors[-3:]})")


def slow_worker(house: House) -> None:
    """One worker whose answers take seconds, so that a kill always hits some in the middle."""
    house.workers = 0
    house.start()
    house.worker("slow", "--max-tps", "60")
    house.wait_ready(workers=1)


def kill(process: psutil.Process) -> int:
    process.kill()
    return int(process.pid)


def engine(house: House) -> psutil.Process:
    return house.find("appliance.agent.engine")


def agent(house: House) -> psutil.Process:
    return house.find("iamine", "worker", "--auto")


def pool(house: House) -> psutil.Process:
    return house.find("iamine", "pool", "--data-dir")


def postgres(house: House) -> psutil.Process:
    return house.find("/bin/postgres", "-D")


@pytest.mark.parametrize("victim", [engine, agent, pool, postgres], ids=lambda one: one.__name__)
def test_a_killed_process_is_back_by_itself(house: House, victim: Callable[[House], psutil.Process]) -> None:
    house.start()
    with Traffic(house) as traffic:
        traffic.flows()
        killed = kill(victim(house))
        traffic.flows()
        house.wait_ready()
        traffic.flows()
    assert traffic.wrong == []
    assert victim(house).pid != killed
    wait_for(lambda: house.status()["running"] == 0 and house.status()["queued"] == 0, 10, "no slot stays taken")
    assert house.stop() == 0
    assert house.members() == []


def test_an_engines_death_in_mid_answer_reaches_no_client(house: House) -> None:
    slow_worker(house)
    with Traffic(house) as traffic:
        wait_for(lambda: house.status()["running"] >= CLIENTS, 30, "answers under way")
        time.sleep(0.5)
        kill(engine(house))
        traffic.flows(CLIENTS)
    assert (traffic.wrong, traffic.errors) == ([], [])


def test_another_workers_departure_touches_no_job(house: House) -> None:
    slow_worker(house)
    with Traffic(house) as traffic:
        wait_for(lambda: house.status()["running"] >= CLIENTS, 30, "answers under way")
        house.worker("visitor")
        house.wait_ready(workers=2)
        kill(house.find("iamine", "worker", "visitor"))
        traffic.flows(CLIENTS)
    assert (traffic.wrong, traffic.errors) == ([], [])


def test_a_killed_supervisor_leaves_no_process_and_the_next_start_finds_its_data(house: House) -> None:
    house.start()
    key = house.key
    account = subprocess.run(
        [sys.executable, "-m", "iamine", "account", "create", "someone", "--data-dir", str(house.data_dir)],
        capture_output=True,
        text=True,
        check=True,
    )
    with Traffic(house) as traffic:
        traffic.flows()
        assert house.process is not None
        os.kill(house.process.pid, signal.SIGKILL)
        house.process.wait()
        wait_for(lambda: house.members() == [], 8, "no orphan")
        traffic.stopping = True
    assert traffic.wrong == []
    house.start()
    assert house.key == key
    assert [model.id for model in house.client().models.list() if not model.id.startswith("iamine-")] == ["mote"]
    someone = account.stdout.split("API key")[1].split()[0]
    assert house.client(api_key=someone).models.list().data
    again = subprocess.run(
        [sys.executable, "-m", "iamine", "account", "create", "Someone", "--data-dir", str(house.data_dir)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 1 and "Traceback" not in again.stderr
    with Traffic(house) as traffic:
        traffic.flows()
    assert house.stop() == 0
    assert house.members() == []


def test_ctrl_c_stops_everything(house: House) -> None:
    house.start()
    assert house.process is not None
    house.process.send_signal(signal.SIGINT)
    assert house.process.wait(20) in (0, 130)
    assert house.members() == []


def test_a_client_that_leaves_frees_its_slot(house: House) -> None:
    slow_worker(house)
    stream = house.client().chat.completions.create(model="mote", messages=MESSAGES, stream=True)
    next(iter(stream))
    wait_for(lambda: house.status()["running"] == 1, 5, "running")
    stream.response.close()
    wait_for(lambda: house.status()["running"] == 0, 5, "slot free")  # bench/disconnect.py measures how soon


def test_without_a_database_running_answers_go_on_and_new_ones_wait_for_it(tmp_path: Path) -> None:
    house = House(tmp_path / "house", free_port())
    try:
        start_pool(house, "database_wait_s = 3.0\n")
        house.worker("slow", "--max-tps", "20")
        house.wait_ready(workers=1)
        stream = counting(house, "mote")
        wait_for(lambda: stream.text.count(" ") > 3, 30, "an answer under way")
        away = [postgres(house), *postgres(house).children(recursive=True)]
        for process in away:
            process.suspend()
        began = time.monotonic()
        refused = httpx.post(
            f"{house.url}/v1/chat/completions", headers=house.headers, json={"model": "mote", "messages": MESSAGES}, timeout=60
        )  # fmt: skip
        assert (refused.status_code, refused.json()["error"]["type"]) == (503, "server_error")
        assert int(refused.headers["retry-after"]) >= 1
        assert time.monotonic() - began < 20
        stream.join(60)
        assert (stream.lines[-1], stream.text) == ("data: [DONE]", COUNTED)
        for process in away:
            process.resume()
        wait_for(house.is_ready, 30, "the database is back")
        assert house.client().chat.completions.create(model="mote", messages=MESSAGES, max_tokens=5).choices
    finally:
        house.end()
