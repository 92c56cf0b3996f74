"""POST /v1/embeddings."""

import openai
import pytest
from fakes.hub import FakeHub, card, vectors
from fakes.poolserver import served
from fakes.records import KEY


async def test_embeddings_by_openais_library() -> None:
    hub = FakeHub(lambda _order: vectors((0.6, 0.8), (1.0, 0.0)), (card("embed", kind="embedding"), card("mote")))
    async with served(hub=hub) as pool, openai.AsyncOpenAI(base_url=f"{pool.url}/v1", api_key=KEY, max_retries=0) as sdk:
        told = await sdk.embeddings.create(model="embed", input=["a", "b"])  # it asks for base64 and decodes it
        assert told.data[0].embedding == pytest.approx([0.6, 0.8])
        assert told.data[1].embedding == [1.0, 0.0]
        assert told.usage.prompt_tokens == 3
        plain = await sdk.embeddings.create(model="embed", input=["a", "b"], encoding_format="float")
        assert plain.data[0].embedding == [0.6, 0.8]
        with pytest.raises(openai.BadRequestError) as wrong_kind:
            await sdk.embeddings.create(model="mote", input="a")
        assert wrong_kind.value.param == "model"
        with pytest.raises(openai.NotFoundError, match="embed"):
            await sdk.embeddings.create(model="none", input="a")
        await pool.dispatch.drain(1.0)
        assert [done.status for done in pool.records.finished] == ["complete", "complete"]


async def test_without_an_embedder_a_clear_refusal() -> None:
    async with served() as pool, openai.AsyncOpenAI(base_url=f"{pool.url}/v1", api_key=KEY, max_retries=0) as sdk:
        with pytest.raises(openai.NotFoundError, match="none yet"):
            await sdk.embeddings.create(model="embed", input="a")
