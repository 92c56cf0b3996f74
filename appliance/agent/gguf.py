"""What a GGUF file's header says of the model's shape, and what memory follows from it: read without llama.cpp.

Format: docs/gguf.md of ggml, version 3 (little-endian).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

MAGIC = b"GGUF"
BATCH_TOKENS = 512  # the engine's micro-batch
_FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_MOST_KEYS, _MOST_BYTES, _MOST_ITEMS = 4096, 1 << 20, 1 << 12
_MOST_HEADER_BYTES = 64 << 20  # a vocabulary of 256 k tokens with merges has 12 MB; what is longer is no header of ours
_MOST = 1 << 24  # of any number that sizes follow from: context, widths; far beyond any model
_MOST_LAYERS = 1 << 12
_MOST_TEXTS = 1 << 19  # of an array that stands before the vocabulary, the merges at most
_TOKENS = "tokenizer.ggml.tokens"
Value = int | float | str | bool | tuple[int | float | bool, ...]


class NotGguf(ValueError):
    """The header is not one of a GGUF file of version 2 or 3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Sizes of the model; 0 or empty where the file does not tell. `kv_heads` is per layer with attention.

    `experts_used` is how many of a mixture's experts a token takes, each as wide inside as `expert_inner`.
    """

    architecture: str
    context_tokens: int
    width: int
    inner: int
    heads: int
    kv_heads: tuple[int, ...]
    key_size: int
    value_size: int
    experts_used: int = 0
    expert_inner: int = 0

    @property
    def kv_bytes_per_token(self) -> int:
        """Keys and values of all attention layers, f16."""
        return sum(self.kv_heads) * (self.key_size + self.value_size) * 2

    @property
    def base_bytes(self) -> int:
        """Compute buffers with flash attention, less the mask: float32 activations of one batch.

        Seven of the width and both sides of a gated feed-forward live at once, as llama.cpp 0c1e57098 lays out dense models; of
        a mixture four of the width, three insides of each expert used and, where those are narrow, what comes out of each
        (measured, November 2026).
        """
        out = self.width if 2 * self.expert_inner < self.width else 0
        dense = 7 * self.width + 2 * self.inner
        return 4 * BATCH_TOKENS * max(dense, 4 * self.width + self.experts_used * (3 * self.expert_inner + out))


def read_shape(path: Path) -> Shape:
    """The shape in the file's header. Raises NotGguf, OSError."""
    with path.open("rb") as file:
        try:
            return _shape(dict(_pairs(file)))
        except (struct.error, UnicodeDecodeError, KeyError, ValueError, OverflowError) as error:
            raise NotGguf(f"{path.name}: {error}") from error


def _shape(found: dict[str, Value]) -> Shape:
    name = str(found["general.architecture"])

    def number(key: str, default: int = 0) -> int:
        value = found.get(f"{name}.{key}", default)
        return max((_size(each) for each in value), default=default) if isinstance(value, tuple) else _size(value)

    layers, heads, width = number("block_count"), number("attention.head_count"), number("embedding_length")
    size, inner = width // heads if heads else 0, number("feed_forward_length")
    return Shape(
        architecture=name,
        context_tokens=number("context_length"),
        width=width,
        inner=inner,
        heads=heads,
        kv_heads=_kv_heads(found.get(f"{name}.attention.head_count_kv", heads), layers, number("full_attention_interval")),
        key_size=number("attention.key_length", size),
        value_size=number("attention.value_length", size),
        experts_used=(used := number("expert_used_count")),
        expert_inner=number("expert_feed_forward_length", inner) if used else 0,
    )


def _size(value: Value) -> int:
    """A number that sizes follow from. Raises ValueError for one that no model has: the fit would reckon with it."""
    if isinstance(value, str | tuple) or not 0 <= value < _MOST:
        raise ValueError("a size in the header is beyond any model's")
    return int(value)


def _kv_heads(told: Value, layers: int, interval: int) -> tuple[int, ...]:
    """Per layer where the file says so; else the same in every layer, or in each `interval`-th of a hybrid model."""
    if isinstance(told, tuple):
        return tuple(_size(each) for each in told)
    if layers > _MOST_LAYERS:
        raise ValueError("more layers than any model has")
    return (_size(told),) * (layers // interval if interval else layers)


def _pairs(file: BinaryIO) -> Iterator[tuple[str, Value]]:
    """The metadata up to the vocabulary, which comes last and is long."""
    magic, version, _, count = struct.unpack("<4sIQQ", file.read(24))
    if magic != MAGIC or version not in (2, 3) or count > _MOST_KEYS:
        raise ValueError("not the header of a GGUF file")
    for _ in range(count):
        key = _text(file)
        _check_end(file)
        if key == _TOKENS:
            return
        yield key, _value(file, _number(file, "I"))


def _value(file: BinaryIO, kind: int) -> Value:
    if kind == _STRING:
        return _text(file)
    if kind != _ARRAY:
        return _number(file, _FORMATS[kind])
    inner, count = _number(file, "I"), _number(file, "Q")
    if inner == _STRING or count > _MOST_ITEMS:
        return _skip(file, inner, count)
    return tuple(_number(file, _FORMATS[inner]) for _ in range(count))


def _skip(file: BinaryIO, inner: int, count: int) -> Value:
    """Pass over an array that nobody asks for. Raises ValueError when the header has no end."""
    if inner != _STRING:
        file.seek(struct.calcsize(_FORMATS[inner]) * min(count, _MOST_HEADER_BYTES), 1)
    elif count > _MOST_TEXTS:
        raise ValueError("the header has no end")
    for _ in range(count if inner == _STRING else 0):
        file.seek(_number(file, "Q"), 1)
        _check_end(file)
    _check_end(file)
    return ()


def _check_end(file: BinaryIO) -> None:
    if file.tell() > _MOST_HEADER_BYTES:
        raise ValueError("the header has no end")


def _number(file: BinaryIO, form: str) -> int:
    (number,) = struct.unpack(f"<{form}", file.read(struct.calcsize(form)))
    return number  # type: ignore[no-any-return]


def _text(file: BinaryIO) -> str:
    length = _number(file, "Q")
    if length > _MOST_BYTES:
        raise ValueError("a text of the header is too long")
    return file.read(length).decode()
