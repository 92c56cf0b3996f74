"""Writes a GGUF like mote's but larger, with random weights: a file to measure speed with, whose answers mean nothing.

.venv/bin/python bench/engine_model.py OUT.gguf [LAYERS] [WIDTH] [Q8_0|Q4_0]

12 layers of 768 are about 93 M parameters.
"""

import struct
import sys
from pathlib import Path

import numpy as np

MOTE = Path(__file__).parents[1] / "appliance/agent/data/mote-Q8_0.gguf"
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}  # GGUF's value types
STRING, ARRAY, F32, Q4_0, Q8_0, ALIGNMENT = 8, 9, 0, 2, 8, 32
HEAD = 64


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


def metadata(data: bytes, changes: dict[str, int]) -> tuple[int, bytes]:
    """(count, bytes) of the file's metadata with some whole numbers changed."""
    count = struct.unpack_from("<Q", data, 16)[0]
    at, out = 24, b""
    for _ in range(count):
        begin = at
        length = struct.unpack_from("<Q", data, at)[0]
        key = data[at + 8 : at + 8 + length].decode()
        at += 8 + length
        kind = struct.unpack_from("<I", data, at)[0]
        end = value_end(data, at + 4, kind)
        out += data[begin : at + 4] + struct.pack("<I", changes[key]) if key in changes else data[begin:end]
        at = end
    return count, out


def tensors(layers: int, width: int, inner: int, words: int, kind: int) -> list[tuple[str, tuple[int, ...], int]]:
    """Names, shapes (fastest dimension first) and types."""
    found: list[tuple[str, tuple[int, ...], int]] = [
        ("token_embd.weight", (width, words), Q8_0),
        ("output_norm.weight", (width,), F32),
    ]
    for n in range(layers):
        found += [(f"blk.{n}.{name}.weight", (width,), F32) for name in ("attn_norm", "ffn_norm")]
        found += [(f"blk.{n}.attn_{name}.weight", (width, width), kind) for name in ("q", "k", "v", "output")]
        found += [(f"blk.{n}.ffn_{name}.weight", (width, inner), kind) for name in ("gate", "up")]
        found += [(f"blk.{n}.ffn_down.weight", (inner, width), kind)]
    return found


def weights(shape: tuple[int, ...], kind: int, random: np.random.Generator) -> bytes:
    """Ones for norms; else blocks of 32 weights: a half-precision scale, then bytes (Q8_0) or half-bytes (Q4_0)."""
    if kind == F32:
        return np.ones(shape, dtype=np.float32).tobytes()
    count, size = int(np.prod(shape)) // 32, 32 if kind == Q8_0 else 16
    blocks = np.zeros(count, dtype=[("scale", np.float16), ("q", np.int8, size)])
    blocks["scale"] = 0.0004 if kind == Q8_0 else 0.006
    blocks["q"] = random.integers(-127, 128, blocks["q"].shape, dtype=np.int8)
    return blocks.tobytes()


def main(arguments: list[str]) -> None:
    out, layers, width = Path(arguments[0]), *(int(a) for a in (*arguments[1:3], "12", "768")[:2])
    kind = {"Q8_0": Q8_0, "Q4_0": Q4_0}[arguments[3] if len(arguments) > 3 else "Q8_0"]
    inner = width * 3
    data = MOTE.read_bytes()
    changes = {"embedding_length": width, "feed_forward_length": inner, "block_count": layers, "rope.dimension_count": HEAD}
    changes |= {"attention.head_count": width // HEAD, "attention.head_count_kv": width // HEAD}
    count, meta = metadata(data, {f"llama.{key}": value for key, value in changes.items()})
    wanted, random = tensors(layers, width, inner, 1024, kind), np.random.default_rng(1)
    infos, body = b"", bytearray()
    for name, shape, stored in wanted:
        infos += struct.pack("<Q", len(name)) + name.encode() + struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        infos += struct.pack("<IQ", stored, len(body))
        body += weights(shape, stored, random)
        body += b"\0" * (-len(body) % ALIGNMENT)
    head = data[:8] + struct.pack("<QQ", len(wanted), count) + meta + infos
    out.write_bytes(head + b"\0" * (-len(head) % ALIGNMENT) + body)
    print(f"{out}: {out.stat().st_size / 1e6:.0f} MB")


if __name__ == "__main__":
    main(sys.argv[1:])
