"""Pure: a GGUF file's bytes from metadata and tensors; the same input gives the same bytes.

Format: docs/gguf.md of ggml, version 3 (little-endian).
"""

import struct
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

ALIGNMENT = 32
Array = npt.NDArray[np.float32] | npt.NDArray[np.float16]
Value = bool | int | float | str | Sequence[str] | Sequence[int]
_TENSOR_TYPES = {np.dtype(np.float32): 0, np.dtype(np.float16): 1}
_UINT32, _INT32, _FLOAT32, _BOOL, _STRING, _ARRAY = 4, 5, 6, 7, 8, 9


def pieces(metadata: Mapping[str, Value], tensors: Mapping[str, Array]) -> Iterator[bytes]:
    """The file in order: header, metadata, what tensors there are, then each tensor's bytes."""
    head = bytearray(struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(metadata)))
    for key, value in metadata.items():
        head += _text(key) + _value(value)
    at = 0
    for name, tensor in tensors.items():
        shape = tensor.shape[::-1]  # the fastest dimension first
        head += _text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, _TENSOR_TYPES[tensor.dtype], at)
        at += tensor.nbytes + _padding(tensor.nbytes)
    yield bytes(head) + b"\0" * _padding(len(head))
    for tensor in tensors.values():
        yield np.ascontiguousarray(tensor).astype(tensor.dtype.newbyteorder("<"), copy=False).tobytes()
        yield b"\0" * _padding(tensor.nbytes)


def _padding(size: int) -> int:
    return -size % ALIGNMENT


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _value(value: Value) -> bytes:
    """A value with its type; whole numbers are uint32, those of a list int32."""
    match value:
        case bool():
            return struct.pack("<I?", _BOOL, value)
        case int():
            return struct.pack("<II", _UINT32, value)
        case float():
            return struct.pack("<If", _FLOAT32, value)
        case str():
            return struct.pack("<I", _STRING) + _text(value)
        case _:
            return _list(value)


def _list(values: Sequence[str] | Sequence[int]) -> bytes:
    texts = [_text(each) for each in values if isinstance(each, str)]
    numbers = [struct.pack("<i", each) for each in values if isinstance(each, int)]
    return struct.pack("<IIQ", _ARRAY, _STRING if texts else _INT32, len(values)) + b"".join(texts or numbers)
