"""A worker with the embedder in its models folder serves /v1/embeddings beside the model that chats."""

import base64
import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import openai
import pytest
from house import ROOT, House, wait_for

MODEL = "all-minilm-l6-v2"
PAIRS = (
    ("A man is playing a guitar on stage.", "Someone performs music with a stringed instrument."),
    ("The stock market fell sharply today.", "Share prices dropped this afternoon."),
    ("How do I reset my password?", "I forgot my login credentials and cannot sign in!"),
)
SENTENCES = [sentence for pair in PAIRS for sentence in pair]


@pytest.fixture
def client(house: House, embedder_file: Path) -> openai.OpenAI:
    house.workers = 0
    house.start()
    where = house.data_dir / "extra" / "both"
    got = fetch(where, embedder_file.parent)
    assert got.split()[0] == MODEL
    house.worker("both")
    house.wait_ready(workers=1)
    client = house.client()
    wait_for(lambda: MODEL in [model.id for model in client.models.list()], 60, "both models")
    return client


def fetch(data_dir: Path, folder: Path) -> str:
    """As a volunteer gets it: from the folder where the recipe put it, checked by its hash."""
    command = [sys.executable, "-m", "iamine", "fetch", MODEL, "--data-dir", str(data_dir), "--from", str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_meaning_is_served_beside_chat(client: openai.OpenAI) -> None:
    answer = client.embeddings.create(model=MODEL, input=SENTENCES)
    assert [item.index for item in answer.data] == list(range(6)) and answer.usage.prompt_tokens > 30
    vectors = np.array([item.embedding for item in answer.data])
    assert vectors.shape == (6, 384) and np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-4)
    near = vectors @ vectors.T
    for number in range(6):
        others = [other for other in range(6) if other != number]
        assert max(others, key=lambda other: near[number, other]) == number ^ 1, "its like is the nearest"

    same = client.embeddings.create(model=MODEL, input=SENTENCES[0], dimensions=384).data[0].embedding
    assert np.allclose(same, vectors[0], atol=1e-5)
    with pytest.raises(openai.BadRequestError, match="384 dimensions and cannot shorten"):  # it was not trained to be cut
        client.embeddings.create(model=MODEL, input=SENTENCES[0], dimensions=64)

    raw = client.embeddings.with_raw_response.create(model=MODEL, input=SENTENCES[:2], encoding_format="base64")
    packed = json.loads(raw.text)["data"][1]["embedding"]
    assert np.allclose(struct.unpack("<384f", base64.b64decode(packed)), vectors[1], atol=1e-5)

    many = client.embeddings.create(model=MODEL, input=SENTENCES * 50).data
    assert len(many) == 300 and np.allclose(many[-1].embedding, vectors[5], atol=1e-3)

    said = client.chat.completions.create(model="mote", messages=[{"role": "user", "content": "hello"}])
    assert said.choices[0].message.content
    with pytest.raises(openai.BadRequestError, match="512"):
        client.embeddings.create(model=MODEL, input="word " * 600)
