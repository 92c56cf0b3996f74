"""Writes a GGUF like mote's but larger, with random weights: a file to measure speed with, whose answers mean nothing.

.venv/bin/python bench/engine_model.py OUT.gguf [LAYERS] [WIDTH] [Q8_0|Q4_0] [WORDS] [KV_HEADS] [EXPERTS]

12 layers of 768 are about 93 M parameters. WORDS (1024) is the vocabulary's size, whose words past mote's own are numbers in
brackets; KV_HEADS (as many as heads) are the heads of keys and values; with EXPERTS (0) each layer has so many feed-forwards,
of which a token takes two.
"""

import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MOTE = Path(__file__).parents[1] / "appliance/agent/data/mote-Q8_0.gguf"
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}  # GGUF's value types
U32, STRING, ARRAY, F32, Q4_0, Q8_0, ALIGNMENT = 4, 8, 9, 0, 2, 8, 32
KINDS = {"Q8_0": Q8_0, "Q4_0": Q4_0}
HEAD = 64
EXPERTS_USED = 2  # by each token
WORDS = 1024  # mote's
NORMAL = 1  # GGUF's type of an ordinary token
BLOCK_BYTES = {Q8_0: 34, Q4_0: 18}  # of 32 weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What the file is to be like."""

    layers: int = 12
    width: int = 768
    kind: int = Q8_0
    words: int = WORDS
    kv_heads: int = 0
    experts: int = 0

    @property
    def inner(self) -> int:
        return self.width * 3

    @property
    def heads(self) -> int:
        return self.width // HEAD

    @property
    def numbers(self) -> dict[str, int]:
        """The metadata that differs from mote's."""
        shape = {"embedding_length": self.width, "feed_forward_length": self.inner, "block_count": self.layers}
        heads = {"attention.head_count": self.heads, "attention.head_count_kv": self.kv_heads or self.heads}
        return {f"llama.{k}": v for k, v in {**shape, **heads, "rope.dimension_count": HEAD, "vocab_size": self.words}.items()}

    @property
    def more(self) -> dict[str, int]:
        """The metadata that mote has none of."""
        return {"llama.expert_count": self.experts, "llama.expert_used_count": EXPERTS_USED} if self.experts else {}


Tensor = tuple[str, tuple[int, ...], int]


def value_end(data: bytes, at: int, kind: int) -> int:
    """Where the metadata value of this type that begins at `at` ends."""
    if kind == STRING:
        return at + 8 + struct.unpack_from("<Q", data, at)[0]
    if kind != ARRAY:
        return at + SIZES[kind]
    inner, count = struct.unpack_from("<IQ", data, at)
    at += 12
    for _ in range(count):
        at = value_end(data, at, inner)
    return at


def metadata(data: bytes, shape: Shape) -> tuple[int, bytes]:
    """(count, bytes) of the file's metadata with the shape's numbers and its longer vocabulary."""
    count = struct.unpack_from("<Q", data, 16)[0]
    at = 24
    out = b"".join(packed(key) + struct.pack("<II", U32, value) for key, value in shape.more.items())
    for _ in range(count):
        begin = at
        length = struct.unpack_from("<Q", data, at)[0]
        key = data[at + 8 : at + 8 + length].decode()
        at += 8 + length
        kind = struct.unpack_from("<I", data, at)[0]
        end = value_end(data, at + 4, kind)
        out += data[begin : at + 4] + changed(key, data[at + 4 : end], shape)
        at = end
    return count + len(shape.more), out


def changed(key: str, value: bytes, shape: Shape) -> bytes:
    """The value of this key as it goes into the new file."""
    if key in shape.numbers:
        return struct.pack("<I", shape.numbers[key])
    more = range(WORDS, shape.words)
    if key == "tokenizer.ggml.tokens":
        return lengthened(value, shape.words, b"".join(packed(f"[{n}]") for n in more))
    if key == "tokenizer.ggml.token_type":
        return lengthened(value, shape.words, struct.pack("<i", NORMAL) * len(more))
    return value


def packed(text: str) -> bytes:
    """A GGUF string."""
    return struct.pack("<Q", len(text.encode())) + text.encode()


def lengthened(array: bytes, count: int, more: bytes) -> bytes:
    """The array with `more` items behind it, `count` in all."""
    return array[:4] + struct.pack("<Q", count) + array[12:] + more


def tensors(shape: Shape) -> Iterator[Tensor]:
    """Names, shapes (fastest dimension first) and types."""
    width, kind = shape.width, shape.kind
    narrow = HEAD * (shape.kv_heads or shape.heads)
    yield "token_embd.weight", (width, shape.words), Q8_0
    yield "output_norm.weight", (width,), F32
    for n in range(shape.layers):
        yield from ((f"blk.{n}.{name}.weight", (width,), F32) for name in ("attn_norm", "ffn_norm"))
        yield from ((f"blk.{n}.attn_{name}.weight", (width, width), kind) for name in ("q", "output"))
        yield from ((f"blk.{n}.attn_{name}.weight", (width, narrow), kind) for name in ("k", "v"))
        yield from feed_forward(n, shape)


def feed_forward(layer: int, shape: Shape) -> Iterator[Tensor]:
    """One, or the experts' laid into one tensor each with the router before them."""
    width, inner, name = shape.width, shape.inner, f"blk.{layer}.ffn_"
    experts, end = ((shape.experts,), "_exps") if shape.experts else ((), "")
    if shape.experts:
        yield f"{name}gate_inp.weight", (width, shape.experts), F32
    yield from ((f"{name}{each}{end}.weight", (width, inner, *experts), shape.kind) for each in ("gate", "up"))
    yield f"{name}down{end}.weight", (inner, width, *experts), shape.kind


def size_bytes(tensor: Tensor) -> int:
    """Of the tensor in the file, without padding."""
    _, shape, kind = tensor
    count = int(np.prod(shape))
    return 4 * count if kind == F32 else count // 32 * BLOCK_BYTES[kind]


def weights(tensor: Tensor, random: np.random.Generator) -> bytes:
    """Ones for norms; else blocks of 32 weights: a half-precision scale, then bytes (Q8_0) or half-bytes (Q4_0)."""
    _, shape, kind = tensor
    if kind == F32:
        return np.ones(shape, dtype=np.float32).tobytes()
    count, size = int(np.prod(shape)) // 32, BLOCK_BYTES[kind] - 2
    blocks = np.zeros(count, dtype=[("scale", np.float16), ("q", np.int8, size)])
    blocks["scale"] = 0.0004 if kind == Q8_0 else 0.006
    blocks["q"] = random.integers(-127, 128, blocks["q"].shape, dtype=np.int8)
    return blocks.tobytes()


def padding(size: int) -> bytes:
    return b"\0" * (-size % ALIGNMENT)


def write(out: Path, shape: Shape) -> None:
    """Writes the file, a tensor at a time."""
    data, wanted, random = MOTE.read_bytes(), list(tensors(shape)), np.random.default_rng(1)
    count, meta = metadata(data, shape)
    infos, at = b"", 0
    for tensor in wanted:
        name, dimensions, kind = tensor
        infos += packed(name) + struct.pack(f"<I{len(dimensions)}Q", len(dimensions), *dimensions)
        infos += struct.pack("<IQ", kind, at)
        at += size_bytes(tensor) + len(padding(size_bytes(tensor)))
    head = data[:8] + struct.pack("<QQ", len(wanted), count) + meta + infos
    with out.open("wb") as file:
        file.write(head + padding(len(head)))
        for tensor in wanted:
            file.write(weights(tensor, random) + padding(size_bytes(tensor)))


def main(arguments: list[str]) -> None:
    out = Path(arguments[0])
    layers, width, kind, *rest = [*arguments[1:7], *("12", "768", "Q8_0", str(WORDS), "0", "0")[len(arguments) - 1 :]]
    words, heads, experts = map(int, rest)
    write(out, Shape(layers=int(layers), width=int(width), kind=KINDS[kind], words=words, kv_heads=heads, experts=experts))
    print(f"{out}: {out.stat().st_size / 1e6:.0f} MB")


if __name__ == "__main__":
    main(sys.argv[1:])
