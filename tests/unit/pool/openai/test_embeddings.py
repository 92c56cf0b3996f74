"""POST /v1/embeddings."""

import base64
import json
import struct
from typing import Any

import pytest

from pool.errors import InvalidRequest
from pool.openai.embeddings import parse_embeddings, vector_base64
from pool.openai.types import EmbeddingsRequest


def parse(**fields: Any) -> EmbeddingsRequest:
    return parse_embeddings(json.dumps({"model": "e", "input": "text"} | fields).encode())


def test_inputs_are_read() -> None:
    assert parse() == EmbeddingsRequest(model="e", inputs=("text",), base64=False, dimensions=None)  # type: ignore[arg-type]
    assert parse(input=["a", "b"], encoding_format="base64", dimensions=4, user="me").inputs == ("a", "b")
    assert parse(encoding_format="base64").base64


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": None}, "input"),
        ({"input": [""]}, "input[0]"),
        ({"encoding_format": "hex"}, "encoding_format"),
        ({"dimensions": 0}, "dimensions"),
        ({"user": 1}, "user"),
        ({"foo": 1}, "foo"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse(**fields)
    assert caught.value.param == param


def test_base64_is_little_endian_float32() -> None:
    assert struct.unpack("<2f", base64.b64decode(vector_base64((0.5, -2.0)))) == (0.5, -2.0)
