"""An account's own workers over HTTP."""

import json
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
from fakes.poolserver import Served, served

from iamine.ids import ModelId, WorkerId
from pool.api import pages

W = WorkerId("wrk_w")
KEY = {"authorization": "Bearer im_test_key"}
DOCUMENT: dict[str, Any] = json.loads((Path(pages.__file__).parent / "openapi.json").read_text())


def fits(name: str, value: Any) -> bool:
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    return jsonschema_rs.is_valid(schema, value)


async def shown(pool: Served) -> str:
    """A worker is linked and shows this code."""
    pool.links.here[W] = (ModelId("mote"),)
    await pool.claims.joined(W)
    return pool.links.code(W)


async def test_a_worker_is_claimed_listed_and_given_up() -> None:
    async with served() as pool, httpx.AsyncClient(base_url=pool.url, headers=KEY) as http:
        code = await shown(pool)
        asked = {"code": code}
        assert fits("ClaimRequest", asked)
        mine = (await http.post("/v1/me/workers/claim", json=asked)).json()
        assert fits("Worker", mine) and (mine["id"], mine["linked"], mine["models"]) == (W, True, ["mote"])
        listed = (await http.get("/v1/me/workers")).json()
        assert fits("WorkerList", listed) and listed["data"] == [mine]
        gone = await http.delete(f"/v1/me/workers/{W}")
        assert gone.json() == {"id": W, "object": "iamine.worker", "deleted": True}
        assert (await http.get("/v1/me/workers")).json()["data"] == []
        again = await http.delete(f"/v1/me/workers/{W}")
        assert (again.status_code, again.json()["error"]["code"]) == (404, "worker_not_found")


async def test_what_is_wrong_comes_in_the_envelope() -> None:
    async with served() as pool, httpx.AsyncClient(base_url=pool.url, headers=KEY) as http:
        cases = [
            ({"code": "ZZZZ-ZZZZ"}, 404, "claim_code_unknown", "code"),
            ({"code": "short"}, 400, "invalid_value", "code"),
            ({}, 400, "missing_required_parameter", "code"),
            ({"code": 7}, 400, "invalid_type", "code"),
            ({"code": "x", "why": 1}, 400, "unknown_parameter", "why"),
        ]
        for body, status, code, param in cases:
            reply = await http.post("/v1/me/workers/claim", json=body)
            error = reply.json()["error"]
            assert (reply.status_code, error["code"], error["param"]) == (status, code, param), error
            assert fits("Error", reply.json())
        for _ in range(4):
            await http.post("/v1/me/workers/claim", json={"code": "ZZZZ-ZZZZ"})
        limited = await http.post("/v1/me/workers/claim", json={"code": await shown(pool)})
        assert limited.status_code == 429 and int(limited.headers["retry-after"]) >= 1


async def test_nothing_of_it_is_open_without_a_key() -> None:
    async with served() as pool, httpx.AsyncClient(base_url=pool.url) as http:
        replies = [
            await http.post("/v1/me/workers/claim", json={"code": await shown(pool)}),
            await http.get("/v1/me/workers"),
            await http.delete(f"/v1/me/workers/{W}"),
        ]
        assert [reply.status_code for reply in replies] == [401, 401, 401]
