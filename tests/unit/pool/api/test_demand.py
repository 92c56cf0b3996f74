"""What the pool lacks, over HTTP."""

import json
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
from fakes.hub import FakeHub
from fakes.poolserver import served

from iamine.ids import ModelId
from pool.api import pages
from pool.routing.demand import Demand, Figures

DOCUMENT: dict[str, Any] = json.loads((Path(pages.__file__).parent / "openapi.json").read_text())
KEY = {"authorization": "Bearer im_test_key"}


def lacking() -> Figures:
    demand, model = Demand(), ModelId("wanted")
    demand.asked(model, 768.0, 0.0)
    demand.missed("small", 768.0, 0.0)
    for now in (0.0, 5.0):
        figures = demand.look({}, {model: 1}, now)
    return figures


async def test_the_figures_are_for_those_with_a_key() -> None:
    hub = FakeHub()
    hub.figures = lacking()
    async with served(hub=hub) as pool, httpx.AsyncClient(base_url=pool.url) as http:
        assert (await http.get("/v1/demand")).status_code == 401
        told = (await http.get("/v1/demand", headers=KEY)).json()
        schema = {"$ref": "#/components/schemas/Demand", "components": DOCUMENT["components"]}
        jsonschema_rs.validate(schema, told)
        (model,) = told["models"]
        assert (model["model"], model["waiting"], model["come"]) == ("wanted", 1, 1.0) and model["lack_tps"] > 0


async def test_status_and_metrics_tell_what_lacks_in_short() -> None:
    hub = FakeHub()
    hub.figures = lacking()
    async with served(hub=hub) as pool, httpx.AsyncClient(base_url=pool.url) as http:
        lacks = (await http.get("/v1/status")).json()["lacks"]
        assert [one.get("model") or one.get("tier") for one in lacks] == ["wanted", "small"]
        text = (await http.get("/metrics")).text
        assert 'iamine_demand_lack_tps{model="wanted",tier="micro"}' in text


async def test_a_model_that_the_manifest_knows_and_nobody_offers_is_missed() -> None:
    async with served() as pool, httpx.AsyncClient(base_url=pool.url, headers=KEY) as http:
        body = {"model": "nonsense", "messages": [{"role": "user", "content": "x"}]}
        assert (await http.post("/v1/chat/completions", json=body)).status_code == 404
        assert pool.hub.wished == []
