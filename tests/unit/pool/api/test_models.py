"""GET /v1/models and /v1/models/{id}."""

import httpx
import openai
import pytest
from fakes.hub import FakeHub, card
from fakes.poolserver import served
from fakes.records import KEY

IDS = ("org/model:7b-q4_0.gguf", "mote", "embed me")


async def test_models_are_listed_chat_first_and_found_by_any_id() -> None:
    cards = (card(IDS[2], kind="embedding", tool_format=""), card(IDS[0]), card(IDS[1]))
    async with served(hub=FakeHub(cards=cards)) as pool:
        async with openai.AsyncOpenAI(base_url=f"{pool.url}/v1", api_key=KEY, max_retries=0) as sdk:
            assert [model.id for model in (await sdk.models.list()).data] == [
                IDS[1],
                IDS[0],
                IDS[2],
                "iamine-auto",
                "iamine-micro",
            ]
            for name in (*IDS, "iamine-auto", "iamine-micro"):
                assert (await sdk.models.retrieve(name)).id == name
            with pytest.raises(openai.NotFoundError):
                await sdk.models.retrieve("iamine-large")
            with pytest.raises(openai.NotFoundError) as caught:
                await sdk.models.retrieve("org/none")
            assert caught.value.code == "model_not_found"
        async with httpx.AsyncClient(base_url=pool.url, headers={"authorization": f"Bearer {KEY}"}) as http:
            told = (await http.get("/v1/models/org/model:7b-q4_0.gguf")).json()
            about = {"kind": "chat", "context_tokens": 2048, "workers": 1, "tools": True, "reasoning": False}
            assert told["x_iamine"] == about
            assert (told["object"], told["created"], told["owned_by"]) == ("model", 1_700_000_000, "iamine")
            theirs = {"anthropic-version": "2023-06-01"}
            page = (await http.get("/v1/models", headers=theirs)).json()
            assert (page["first_id"], page["last_id"], page["data"][0]["type"]) == (IDS[1], "iamine-micro", "model")
            assert (await http.get("/v1/models/mote", headers=theirs)).json()["display_name"] == "mote"
            both = (await http.get("/v1/models/iamine-auto")).json()
            assert both["x_iamine"] == about | {"workers": 2, "pseudo": True}


async def test_what_nobody_serves_now_is_no_pseudo_model() -> None:
    cards = (card("gone", workers=0), card("raw", kind="completion"))
    async with served(hub=FakeHub(cards=cards)) as pool, httpx.AsyncClient(base_url=pool.url) as http:
        listed = (await http.get("/v1/models", headers={"authorization": f"Bearer {KEY}"})).json()
        assert [model["id"] for model in listed["data"]] == ["gone", "raw"]


async def test_models_need_a_key() -> None:
    async with served() as pool, httpx.AsyncClient(base_url=pool.url) as http:
        for path in ("/v1/models", "/v1/models/mote"):
            assert (await http.get(path)).status_code == 401
