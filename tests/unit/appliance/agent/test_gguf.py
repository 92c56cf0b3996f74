"""The header of a GGUF file tells the model's shape."""

import struct
from pathlib import Path

import pytest

import appliance.agent
from appliance.agent.gguf import NotGguf, Shape, read_shape

MOTE = Path(appliance.agent.__file__).parent / "data/mote-Q8_0.gguf"
UINT32, FLOAT32, STRING, ARRAY, UINT64 = 4, 6, 8, 9, 10


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def pair(key: str, value: object) -> bytes:
    match value:
        case str():
            return text(key) + struct.pack("<I", STRING) + text(value)
        case float():
            return text(key) + struct.pack("<If", FLOAT32, value)
        case [str(), *_]:
            return text(key) + struct.pack("<IIQ", ARRAY, STRING, len(value)) + b"".join(text(str(each)) for each in value)
        case list():
            return text(key) + struct.pack(f"<IIQ{len(value)}I", ARRAY, UINT32, len(value), *value)
        case _:
            return text(key) + struct.pack("<II", UINT32, value)


def write(path: Path, **values: object) -> Path:
    pairs = [pair("general.architecture", "a")]
    pairs += [pair(f"a.{key.replace('__', '.')}", value) for key, value in values.items()]
    pairs.append(pair("tokenizer.ggml.tokens", ["x", "y"]))
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, len(pairs)) + b"".join(pairs))
    return path


BASE = {
    "block_count": 4,
    "embedding_length": 64,
    "feed_forward_length": 128,
    "context_length": 2048,
    "attention__head_count": 8,
}


def test_the_bundled_model() -> None:
    expected = Shape(
        architecture="llama", context_tokens=1024, width=160, inner=448, heads=5, kv_heads=(5,) * 4, key_size=32, value_size=32
    )
    assert read_shape(MOTE) == expected
    assert expected.kv_bytes_per_token == 2560


def test_grouped_heads_and_their_sizes_are_read(tmp_path: Path) -> None:
    more = {"attention__head_count_kv": 2, "attention__key_length": 16, "attention__value_length": 32, "rope__freq_base": 1e4}
    assert read_shape(write(tmp_path / "m", **BASE, **more)).kv_bytes_per_token == 4 * 2 * (16 + 32) * 2


def test_a_mixture_needs_room_for_the_experts_that_a_token_takes(tmp_path: Path) -> None:
    def width_of(**more: int) -> float:
        return read_shape(write(tmp_path / "m", **BASE, **more)).base_bytes / (4 * 512 * 64)

    assert width_of() == 7 + 2 * 2
    assert width_of(expert_used_count=1) == 7 + 2 * 2, "never less than a dense one"
    assert width_of(expert_used_count=4) == 4 + 4 * 3 * 2
    assert width_of(expert_used_count=8, expert_feed_forward_length=32) == 4 + 8 * 3 / 2
    assert width_of(expert_used_count=8, expert_feed_forward_length=16) == 4 + 8 * (3 / 4 + 1)


def test_hybrid_models_keep_keys_in_some_layers_only(tmp_path: Path) -> None:
    by_layer = read_shape(write(tmp_path / "m", **BASE, attention__head_count_kv=[0, 0, 2, 0]))
    assert (by_layer.kv_heads, by_layer.kv_bytes_per_token) == ((0, 0, 2, 0), 2 * (8 + 8) * 2)
    by_interval = read_shape(write(tmp_path / "n", **BASE, attention__head_count_kv=2, full_attention_interval=4))
    assert by_interval.kv_heads == (2,)


def test_arrays_that_nobody_asks_for_are_passed_over(tmp_path: Path) -> None:
    shape = read_shape(write(tmp_path / "m", names=["a", "b"], numbers=list(range(5000)), **BASE))
    assert shape.width == 64


ENDLESS = text("a.x") + struct.pack("<IIQ", ARRAY, STRING, 1 << 60)
FAR = text("a.x") + struct.pack("<IIQ", ARRAY, UINT64, 1 << 63)


@pytest.mark.parametrize("pairs", [ENDLESS, FAR, ENDLESS + struct.pack("<Q", 1 << 62)], ids=["endless", "far", "jump"])
def test_a_header_without_an_end_is_refused_in_no_time(pairs: bytes, tmp_path: Path) -> None:
    """The file is sparse: 1 TB of zeros that take no room, and would take hours to read."""
    path = tmp_path / "m"
    with path.open("wb") as file:
        file.write(b"GGUF" + struct.pack("<IQQ", 3, 0, 4) + pairs)
        file.truncate(1 << 40)
    with pytest.raises(NotGguf):
        read_shape(path)


@pytest.mark.parametrize(
    "values",
    [
        {"block_count": 2**32 - 1}, {"block_count": 5000}, {"embedding_length": float("inf")}, {"context_length": float("nan")},
        {"context_length": "9" * 100_000}, {"attention__head_count_kv": [2**32 - 1]}, {"feed_forward_length": -1.0},
        {"attention__head_count": "x"},
    ],
)  # fmt: skip
def test_sizes_that_no_model_has_are_refused(values: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(NotGguf):
        read_shape(write(tmp_path / "m", **{**BASE, **values}))


@pytest.mark.parametrize(
    "content",
    [
        b"", b"GGUF", b"nope" + bytes(40), b"GGUF" + struct.pack("<IQQ", 1, 0, 0), b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 40),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1 << 60),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 0),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<I", 99),
    ],
)  # fmt: skip
def test_what_is_no_header_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m"
    path.write_bytes(content)
    with pytest.raises(NotGguf):
        read_shape(path)
