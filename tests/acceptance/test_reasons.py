"""Why an answer came from where it came: asked while it runs, after it was taken over, and after the pool's own restart."""

import asyncio
import signal
from typing import Any

import asyncpg
import httpx
from house import House, wait_for

from iamine.ids import worker_id
from iamine.keyfile import load_or_create
from pool.store.cluster import read_dsn

MESSAGES: Any = [{"role": "user", "content": "count from 1 to 60"}]


def asked(house: House, job: str, **headers: str) -> httpx.Response:
    return httpx.get(f"{house.url}/v1/jobs/{job}", headers=house.headers | headers, timeout=10)


def test_a_job_tells_who_served_it_who_lost_it_and_why(house: House) -> None:
    house.workers = 0
    house.start()
    agents = {name: house.worker(name, "--max-tps", "40") for name in ("first", "second")}
    house.wait_ready(workers=2)
    stream = house.client().chat.completions.create(
        model="mote", messages=MESSAGES, temperature=0, max_tokens=300, stream=True, extra_body={"ignore_eos": True}
    )
    origin: dict[str, Any] = {}
    job = ""
    for number, chunk in enumerate(stream):
        job = chunk.id
        if number == 20:
            told = asked(house, job).json()
            assert (told["status"], told["model"], told["tier_reason"]) == ("running", "mote", "asked by name")
            assert told["usage"]["completion_tokens"] >= 15 and told["finished_at"] is None
            assert "expected wait" in told["reason"]
            agents[name_of(house, told["segments"][-1]["worker"])].kill()
        origin = (chunk.model_extra or {}).get("x_iamine") or origin
    told = wait_for(lambda: ended(house, job), 10, "the end on record")
    assert told["status"] == "complete" and len(told["segments"]) == 2
    assert told["segments"] == [{k: one[k] for k in ("worker", "from", "to")} for one in origin["segments"]]
    (takeover,) = told["takeovers"]
    assert (takeover["worker"], takeover["token"]) == (told["segments"][0]["worker"], told["segments"][1]["from"])
    assert takeover["why"] == "lost link"
    assert told["usage"]["completion_tokens"] == 300 and told["waited_s"] >= 0.0
    assert told["id"] == origin["job"] and asked(house, origin["job"]).json() == told
    assert asked(house, job, Authorization="Bearer im_nobody").status_code == 401
    assert asked(house, "job_nobodys").status_code == 404
    wait_for(lambda: kept(house, told["segments"]), 30, "what is owed and what was spent is written")
    house.find("iamine", "pool").send_signal(signal.SIGKILL)
    wait_for(lambda: house.is_ready(), 60, "the pool back")
    assert asked(house, job).json() == told


def kept(house: House, segments: list[dict[str, Any]]) -> bool:
    """The deficit of the one that left, which had served more than its share, and what the account was served."""

    async def look() -> bool:
        connection = await asyncpg.connect(read_dsn(house.data_dir))
        try:
            rows = await connection.fetch("SELECT worker, deficit_s FROM worker_deficit")
            spent = await connection.fetchval("SELECT sum(cost) FROM account_spent")
            counters = await connection.fetchval("SELECT count(*) FROM account_counter")
        finally:
            await connection.close()
        owed = {row["worker"]: row["deficit_s"] for row in rows}
        return owed.get(segments[0]["worker"], 0) < 0 and (spent or 0) >= 600 and counters == 1

    return asyncio.run(look())


def ended(house: House, job: str) -> dict[str, Any] | None:
    told: dict[str, Any] = asked(house, job).json()
    return told if told["status"] == "complete" else None


def name_of(house: House, worker: str) -> str:
    """Which agent has this id."""
    keys = {path.parent.name: load_or_create(path).public_key for path in house.data_dir.glob("extra/*/worker.key")}
    return next(name for name, key in keys.items() if worker_id(key) == worker)
