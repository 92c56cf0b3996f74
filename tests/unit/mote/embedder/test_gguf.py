"""A GGUF file is laid out as the format says, and the same input gives the same bytes."""

from pathlib import Path

import numpy as np

from appliance.agent.gguf import read_shape
from mote.embedder.gguf import ALIGNMENT, pieces

TENSORS = {"a.weight": np.arange(6, dtype=np.float16).reshape(2, 3), "b.bias": np.ones(5, dtype=np.float32)}
METADATA = {
    "general.architecture": "bert",
    "bert.context_length": 512,
    "bert.embedding_length": 384,
    "bert.attention.causal": False,
    "bert.attention.layer_norm_epsilon": 1e-12,
    "bert.attention.head_count": 12,
    "bert.block_count": 6,
    "some.list": ["▁a", "b"],
    "some.numbers": [1, -2],
}


def test_the_header_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"".join(pieces(METADATA, TENSORS)))
    shape = read_shape(path)
    assert (shape.architecture, shape.context_tokens, shape.width, shape.heads) == ("bert", 512, 384, 12)


def test_every_tensor_begins_at_a_multiple_and_holds_its_numbers() -> None:
    head, *rest = pieces(METADATA, TENSORS)
    assert len(head) % ALIGNMENT == 0
    assert rest[0] == TENSORS["a.weight"].tobytes() and (len(rest[0]) + len(rest[1])) % ALIGNMENT == 0
    assert np.array_equal(np.frombuffer(rest[2], dtype="<f4"), TENSORS["b.bias"])


def test_dimensions_stand_with_the_fastest_first() -> None:
    head = next(iter(pieces({}, {"a": TENSORS["a.weight"]})))
    at = head.index(b"a", 24) + 1
    assert np.frombuffer(head[at : at + 20], dtype="<u4").tolist() == [2, 3, 0, 2, 0]


def test_the_same_input_gives_the_same_bytes() -> None:
    assert b"".join(pieces(METADATA, TENSORS)) == b"".join(pieces(METADATA, TENSORS))
