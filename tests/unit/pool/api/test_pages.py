"""The page for people, and the description for machines, which must name what is really there."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest
from fakes.hub import FakeHub, card
from fakes.poolserver import served
from sanic import Sanic

from pool.api import pages
from pool.api.settings import Settings

DOCUMENT: dict[str, Any] = json.loads((Path(pages.__file__).parent / "openapi.json").read_text())


async def test_the_page_shows_how_to_ask_here() -> None:
    hub = FakeHub(cards=(card("embed", kind="embedding"), card("<mote>")))
    async with (
        served(Settings(name="Ann & Bob's pool", version="1.2"), hub) as pool,
        httpx.AsyncClient(base_url=pool.url) as http,
    ):
        reply = await http.get("/")
        assert reply.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in reply.headers["content-security-policy"]
        for shown in (
            f"{pool.url}/v1",
            "&lt;mote&gt;",
            "Ann &amp; Bob&#x27;s pool",
            "1.2",
            "from openai import OpenAI",
            "curl",
        ):
            assert shown in reply.text
        assert "<mote>" not in reply.text
        assert "{{" not in reply.text
        assert "<script" not in reply.text
        proxied = await http.get("/", headers={"x-forwarded-proto": "https", "host": "pool.example"})
        assert "https://pool.example/v1" in proxied.text
        pool.hub.cards = ()
        assert "no worker has connected" in (await http.get("/")).text


async def test_the_description_names_every_route_and_no_other() -> None:
    async with served() as pool, httpx.AsyncClient(base_url=pool.url) as http:
        assert (await http.get("/openapi.json")).json() == DOCUMENT
        (app,) = (app for name, app in Sanic._app_registry.items() if name.startswith("fake_pool"))
        routes = {
            (re.sub(r"<(\w+):\w+>", r"{\1}", f"/{route.path}"), method.lower())
            for route in app.router.routes
            for method in route.methods - {"HEAD"}
        }
    described = {(path, method) for path, item in DOCUMENT["paths"].items() for method in item}
    assert routes == described


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_the_description_is_whole() -> None:
    assert DOCUMENT["openapi"] == "3.1.0"
    assert set(DOCUMENT["info"]) >= {"title", "version"}
    schemas = DOCUMENT["components"]["schemas"]
    used = {reference.removeprefix("#/components/schemas/") for reference in references(DOCUMENT)}
    assert used == set(schemas)
    operations = [operation for item in DOCUMENT["paths"].values() for operation in item.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    for operation in operations:
        assert operation["responses"]
        for reply in operation["responses"].values():
            assert reply["description"]


@pytest.mark.parametrize("name", sorted(DOCUMENT["components"]["schemas"]))
def test_its_schemas_are_json_schemas(name: str) -> None:
    jsonschema_rs.meta.validate(DOCUMENT["components"]["schemas"][name])


async def test_answers_fit_the_description() -> None:
    def fits(name: str, value: Any) -> None:
        schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
        jsonschema_rs.validate(schema, value)

    async with served() as pool, httpx.AsyncClient(base_url=pool.url, headers={"authorization": "Bearer im_test_key"}) as http:
        asked = {"model": "mote", "messages": [{"role": "user", "content": "x"}]}
        fits("ChatRequest", asked)
        fits("ChatCompletion", (await http.post("/v1/chat/completions", json=asked)).json())
        fits("TextCompletion", (await http.post("/v1/completions", json={"model": "mote", "prompt": "x"})).json())
        said = {"model": "mote", "input": "x"}
        fits("ResponsesRequest", said)
        fits("Response", (await http.post("/v1/responses", json=said)).json())
        fits("MessageRequest", asked | {"max_tokens": 5})
        fits("AnthropicMessage", (await http.post("/v1/messages", json=asked | {"max_tokens": 5})).json())
        fits("AnthropicError", (await http.post("/v1/messages", json={})).json())
        job = (await http.post("/v1/chat/completions", json=asked)).json()["x_iamine"]["job"]
        fits("Job", (await http.get(f"/v1/jobs/{job}")).json())
        fits("ModelList", (await http.get("/v1/models")).json())
        fits("Status", (await http.get("/v1/status")).json())
        fits("State", (await http.get("/readyz")).json())
        fits("Error", (await http.get("/nope")).json())


async def test_the_claim_page_runs_its_own_script_only_and_loads_nothing_from_elsewhere() -> None:
    async with served(Settings(name="<Ann>")) as pool, httpx.AsyncClient(base_url=pool.url) as http:
        reply = await http.get("/claim")
        policy = reply.headers["content-security-policy"]
        (script,) = re.findall("<script>(.*?)</script>", reply.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"script-src 'sha256-{digest}'" in policy and "connect-src 'self'" in policy and "form-action 'none'" in policy
        assert "&lt;Ann&gt;" in reply.text and "<Ann>" not in reply.text and "{{" not in reply.text
        assert not re.findall(r"(?:src|href)\s*=", reply.text), "no resource from anywhere"
        assert "?" not in re.findall(r'fetch\("([^"]*)"', script)[0], "no key in an address"
        assert not re.findall(r"<input[^>]*\bname=", reply.text), "a browser without scripts sends nothing"
