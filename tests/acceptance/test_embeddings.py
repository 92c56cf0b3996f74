"""Embeddings come from a worker's embedder where one is loaded, else a clear error does (the SDK test has that one)."""

import math

import openai
import pytest
from house import ROOT, House, wait_for

MOTE = ROOT / "appliance/agent/data/mote-Q8_0.gguf"


def test_a_workers_embedder_answers(house: House) -> None:
    house.workers = 0
    house.start()
    embedder = house.data_dir / "embedder.gguf"
    embedder.write_bytes(MOTE.read_bytes() + bytes(1))  # a file is known by its hash: this is another one
    config = house.data_dir / "worker.toml"
    config.write_text(f'[[models]]\npath = "{embedder}"\nid = "mote-embed"\nkind = "embedding"\n')
    house.worker("both", "--config", str(config))
    house.wait_ready(workers=1)
    client = house.client()
    wait_for(lambda: "mote-embed" in [model.id for model in client.models.list()], 30, "both models")
    listed = [model.id for model in client.models.list()]
    assert listed == ["mote", "mote-embed", "iamine-auto", "iamine-micro"], "chat first, stand-ins last"
    answer = client.embeddings.create(model="mote-embed", input=["a river", "a river", "seven"])
    vectors = [item.embedding for item in answer.data]
    assert [item.index for item in answer.data] == [0, 1, 2]
    assert answer.usage.prompt_tokens > 3
    for vector in vectors:
        assert math.isclose(math.hypot(*vector), 1.0, rel_tol=1e-3)
    assert vectors[0] == vectors[1] != vectors[2]
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="mote-embed", messages=[{"role": "user", "content": "hello"}])
