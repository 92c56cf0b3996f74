"""Requests made wrong on purpose, as JSON and as bytes: each is answered in time, by what the description allows."""

import asyncio
import json
import os
import re
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import httpx
import jsonschema_rs
from damage import NASTY_TEXTS, damaged, spoilt
from fakes.wire import MODEL, WireWorker, offer
from house import House
from pools import start_pool

ROOT = Path(__file__).parents[2]
REQUESTS = int(os.environ.get("IAMINE_FUZZ_REQUESTS", "500"))
SEED = int(os.environ.get("IAMINE_FUZZ_SEED", "1"))
CLIENTS = 8
LATE_S = 60.0
CONFIG = (
    "per_key_concurrency = 1000\nrequests_per_minute = 100000000\ntokens_per_minute = 1000000000000\nmax_body_bytes = 2000000\n"
    "plain_deadline_s = 3.0\nstream_deadline_s = 3.0\n"
)
TELLS = re.compile(r"Traceback|ERROR|CRITICAL|never retrieved|Exception")
DOCUMENT: dict[str, Any] = json.loads((ROOT / "pool/api/openapi.json").read_text())

SEEDS: dict[str, Any] = json.loads((Path(__file__).parent / "requests.json").read_text())
BODIES: list[tuple[str, dict[str, Any]]] = [tuple(one) for one in SEEDS["bodies"]]
HEADS: list[bytes] = [one.encode() for one in SEEDS["heads"]]


def checker(path: str, status: int) -> Any:
    """Whether a JSON body is what the description says of this answer."""
    told = DOCUMENT["paths"][path]["post"]["responses"][str(status)]["content"]["application/json"]["schema"]
    return jsonschema_rs.validator_for({**told, "components": DOCUMENT["components"]})


def spoilt_headers(draw: Random) -> dict[str, str]:
    """Now and then headers that mean something here, with nonsense in them."""
    names = ("Idempotency-Key", "Last-Event-ID", "x-iamine-think", "anthropic-version", "x-api-key", "accept", "origin")
    shown = ["".join(each for each in text if 32 <= ord(each) < 127)[:3000].strip() for text in NASTY_TEXTS]
    return {draw.choice(names): draw.choice(shown)} if draw.random() < 0.2 else {}


async def bodies(house: House, draw: Random, count: int, seen: Counter[int]) -> None:
    async with httpx.AsyncClient(base_url=house.url, headers=house.headers, timeout=LATE_S, trust_env=False) as http:
        for _ in range(count):
            path, asked = draw.choice(BODIES)
            sent = spoilt(draw, asked)[:1_500_000]
            kind = {"content-type": "application/json"} | spoilt_headers(draw)
            reply = await http.post(path, content=sent, headers=kind)
            seen[reply.status_code] += 1
            assert str(reply.status_code) in DOCUMENT["paths"][path]["post"]["responses"], (path, sent[:2000], reply.text)
            if reply.headers["content-type"].startswith("application/json"):
                checker(path, reply.status_code).validate(reply.json())


async def heads(house: House, draw: Random, count: int, seen: Counter[int]) -> None:
    """Bytes on the wire; whatever is answered is no fault of the pool's. Then the line is cut, or ended, in mid-word or not."""
    for _ in range(count):
        reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
        data = draw.choice(HEADS).replace(b"KEY", house.key.encode())
        for _ in range(draw.randint(0, 3)):
            data = damaged(draw, data)
        writer.write(data[:20_000])
        try:
            async with asyncio.timeout(0.05):
                answer = await reader.read(100_000)
            codes = [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3})", answer)]
            assert all(code < 500 or code == 503 for code in codes), (data, answer)
            seen.update(codes)
        except (TimeoutError, ConnectionError):
            seen[0] += 1  # it waits for the rest, as it may
        writer.transport.abort()


async def test_every_request_is_answered_by_what_the_description_allows(house: House) -> None:
    await asyncio.to_thread(start_pool, house, CONFIG)
    worker = await WireWorker(house.port, (offer(),)).join()
    serving = asyncio.create_task(worker.serve())
    seen, lines = Counter[int](), Counter[int]()
    draws = [Random(SEED * 100 + number) for number in range(CLIENTS)]
    try:
        await asyncio.gather(*(bodies(house, draw, REQUESTS // CLIENTS, seen) for draw in draws))
        await asyncio.gather(*(heads(house, draw, REQUESTS // CLIENTS, lines) for draw in draws))
        async with httpx.AsyncClient(base_url=house.url, headers=house.headers, timeout=LATE_S) as http:
            asked = {"model": MODEL, "max_tokens": 3, "messages": [{"role": "user", "content": "t"}]}
            assert (await http.post("/v1/chat/completions", json=asked)).status_code == 200
    finally:
        await worker.close()
        await serving
    print(f"\nbodies {dict(seen)}; lines {dict(lines)}")
    assert seen[200] > REQUESTS / 50 and seen[400] > REQUESTS / 5
    said = (house.data_dir / "pool.out").read_text(errors="replace")
    assert [line for line in said.splitlines() if TELLS.search(line)] == []
