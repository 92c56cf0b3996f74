"""One key floods: it alone is told to come back later, and everybody else is served."""

import asyncio
import json
import subprocess
import sys
from collections import Counter

import httpx
from house import ROOT, House
from pools import start_pool

FLOODERS = 40
OTHERS = 60  # no failure is allowed
ASKED = {"model": "mote", "messages": [{"role": "user", "content": "count from 3 to 7"}], "max_tokens": 20, "temperature": 0}
CONFIG = "per_key_concurrency = 8\n"


def account(house: House, name: str) -> str:
    """A new key."""
    command = [sys.executable, "-m", "iamine", "account", "create", name, "--data-dir", str(house.data_dir), "--json"]
    told = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=60).stdout
    return str(json.loads(told)["api_key"])


async def flood_and_ask(
    house: House, flooder: str, others: list[str]
) -> tuple[Counter[int], Counter[int], list[httpx.Response]]:
    """Statuses of the flooder and of the others, and the flooder's refusals."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=house.url, timeout=120, trust_env=False, limits=limits) as http:
        over, seen, refused = asyncio.Event(), Counter[int](), list[httpx.Response]()

        async def ask(key: str) -> httpx.Response:
            return await http.post("/v1/chat/completions", json=ASKED, headers={"Authorization": f"Bearer {key}"})

        async def flood() -> None:
            while not over.is_set():
                reply = await ask(flooder)
                seen[reply.status_code] += 1
                if reply.status_code != 200:
                    refused.append(reply)
                    await asyncio.sleep(0.05)

        async def be_served(key: str) -> list[int]:
            return [(await ask(key)).status_code for _ in range(OTHERS // len(others))]

        floods = [asyncio.create_task(flood()) for _ in range(FLOODERS)]
        await asyncio.sleep(0.5)
        served = await asyncio.gather(*[be_served(key) for key in others])
        over.set()
        await asyncio.gather(*floods)
        return seen, Counter(status for one in served for status in one), refused


def test_only_the_flooder_is_refused(house: House) -> None:
    start_pool(house, CONFIG)
    house.worker("one")
    house.wait_ready(workers=1)
    keys = [account(house, name) for name in ("flooder", "ada", "bob", "eve")]
    seen, others, refused = asyncio.run(flood_and_ask(house, keys[0], keys[1:]))
    print(f"flooder {dict(seen)}, others {dict(others)}")
    assert others == {200: OTHERS}
    assert seen[429] > OTHERS and set(seen) == {200, 429}, "it flooded, and was told so"
    assert seen[200] > 0, "what is within its limit is served"
    told = refused[0]
    assert told.json()["error"]["code"] == "rate_limit_exceeded"
    assert int(told.headers["retry-after"]) >= 1 and "x-ratelimit-limit-requests" in told.headers
