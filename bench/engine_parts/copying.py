"""A model that counts: after id t it wants t + 1, so it copies a prompt that counts; as much work as a random one.

Attention and feed-forward are computed in full and add nothing (their last matrices are zero); the output's rows are the
embedding's, moved on by one. The hotter its tokens are drawn, the more often it leaves its text.
"""

from collections.abc import Iterator
from pathlib import Path

import engine_model as plain
import numpy as np

SHAPE = plain.Shape(layers=24, width=1024, kind=plain.Q4_0)  # 0.26 G parameters, the vocabulary is mote's
FIRST, LAST, REPEATED = 300, 900, 3
ZERO = ("attn_output.weight", "ffn_down.weight")


def tensors(shape: plain.Shape) -> Iterator[plain.Tensor]:
    yield "output.weight", (shape.width, shape.words), plain.Q8_0
    yield from _tensors(shape)


def weights(tensor: plain.Tensor, random: np.random.Generator) -> bytes:
    name, dimensions, _ = tensor
    if name.endswith(ZERO):
        return bytes(plain.size_bytes(tensor))
    if name not in ("token_embd.weight", "output.weight"):
        return _weights(tensor, random)
    data = _weights(tensor, np.random.default_rng(7))
    if name == "token_embd.weight":
        return data
    rows = np.frombuffer(data, dtype=np.uint8).reshape(dimensions[1], -1)
    return np.roll(rows, 1, axis=0).tobytes()


def write(out: Path, kind: str) -> None:
    """Writes the file."""
    plain.tensors, plain.weights = tensors, weights  # type: ignore[assignment]
    try:
        plain.write(out, plain.Shape(layers=SHAPE.layers, width=SHAPE.width, kind=plain.KINDS[kind], words=SHAPE.words))
    finally:
        plain.tensors, plain.weights = _tensors, _weights


def prompt(number: int) -> tuple[int, ...]:
    """A text of about 200 ids, and then its beginning once more."""
    first = FIRST + number
    text = tuple(range(first, first + 200))
    return (*text, *text[:REPEATED])


_tensors, _weights = plain.tensors, plain.weights
