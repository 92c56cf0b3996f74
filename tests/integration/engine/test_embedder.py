"""The embedder's file in a real engine says what the published model says (vectors.json: see mote/embedder/reference.py)."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from appliance.agent.engine.protocol import Load
from iamine.wire.messages import EmbeddingWork

RECORDED = json.loads(Path(__file__).with_name("vectors.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def load(embedder_file: Path) -> Load:
    return Load(path=str(embedder_file), file_sha256="", kind="embedding", threads=1)


def test_vectors_are_those_of_the_published_model_alone_and_in_a_batch(start: Any, load: Load) -> None:
    client = start(load)
    assert (client.loaded.embedding_dimensions, client.loaded.context_tokens) == (384, 512)
    texts = [each["text"] for each in RECORDED]
    together = client.answer(EmbeddingWork(inputs=tuple(texts)), max_tokens=0).end
    alone = [client.answer(EmbeddingWork(inputs=(text,)), max_tokens=0).end.vectors[0] for text in texts]
    for each, batched, single in zip(RECORDED, together.vectors, alone, strict=True):
        assert cosine(each["vector"], batched) >= 0.9999
        assert cosine(each["vector"], single) >= 0.9999
    assert together.prompt_tokens == sum(len(each["ids"]) for each in RECORDED)


def test_more_inputs_than_a_step_takes_come_whole_and_in_order(start: Any, load: Load) -> None:
    client = start(load)
    texts = [each["text"] for each in RECORDED] * 30
    jobs = [client.job(EmbeddingWork(inputs=tuple(texts[n:])), max_tokens=0) for n in range(3)]
    for n, answer in enumerate(client.answers(jobs)):
        assert len(answer.end.vectors) == len(texts) - n
        nearest = [int(np.argmax([cosine(each["vector"], vector) for each in RECORDED])) for vector in answer.end.vectors[:16]]
        assert nearest == [(number + n) % 8 for number in range(16)]


def cosine(a: Any, b: Any) -> float:
    return float(np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b))
