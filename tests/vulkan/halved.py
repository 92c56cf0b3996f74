"""mote's file with float16 weights: nobody knows its hash, so that it may run on graphics (mote itself is exact)."""

import struct

import numpy as np

_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}  # GGUF's value types
_STRING, _ARRAY = 8, 9
_F32, _F16, _Q8_0 = 0, 1, 8
_ALIGNMENT = 32


def halved(data: bytes) -> bytes:
    """The same model, Q8_0 unpacked to float16."""
    tensors, pairs = struct.unpack_from("<QQ", data, 8)
    at = 24
    for _ in range(pairs):
        at += 8 + struct.unpack_from("<Q", data, at)[0]
        at = _end(data, at + 4, struct.unpack_from("<I", data, at)[0])
    head, infos = bytearray(data[:at]), []
    for _ in range(tensors):
        begin = at
        at += 8 + struct.unpack_from("<Q", data, at)[0]
        (dimensions,) = struct.unpack_from("<I", data, at)
        shape = struct.unpack_from(f"<{dimensions}Q", data, at + 4)
        at += 4 + 8 * dimensions
        kind, offset = struct.unpack_from("<IQ", data, at)
        infos.append((data[begin:at], int(np.prod(shape)), kind, offset))
        at += 12
    start, body = at + -at % _ALIGNMENT, bytearray()
    for named, count, kind, offset in infos:
        head += named + struct.pack("<IQ", _F16 if kind == _Q8_0 else kind, len(body))
        body += _unpacked(data[start + offset :], count, kind)
        body += b"\0" * (-len(body) % _ALIGNMENT)
    return bytes(head) + b"\0" * (-len(head) % _ALIGNMENT) + bytes(body)


def _unpacked(data: bytes, count: int, kind: int) -> bytes:
    """Blocks of 32: a half-precision scale and 32 signed bytes; float32 stays."""
    if kind == _F32:
        return data[: 4 * count]
    assert kind == _Q8_0, f"tensor type {kind}"
    blocks = np.frombuffer(data, dtype=[("scale", "<f2"), ("q", "i1", 32)], count=count // 32)
    return (blocks["q"].astype(np.float32) * blocks["scale"].astype(np.float32)[:, None]).astype("<f2").tobytes()


def _end(data: bytes, at: int, kind: int) -> int:
    """Where the metadata value of this type that begins at `at` ends."""
    if kind == _STRING:
        return int(at + 8 + struct.unpack_from("<Q", data, at)[0])
    if kind != _ARRAY:
        return at + _SIZES[kind]
    inner, count = struct.unpack_from("<IQ", data, at)
    at += 12
    for _ in range(count):
        at = _end(data, at, inner)
    return at
