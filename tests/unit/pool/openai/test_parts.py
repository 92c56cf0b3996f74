"""Texts as strings or as parts."""

import pytest

from pool.errors import InvalidRequest
from pool.openai.fields import Fields
from pool.openai.parts import MAX_PARTS, text_of

KINDS = {"text": ("citations",), "refusal": ()}


def read(value: object) -> str:
    return text_of(Fields({"content": value}), "content", KINDS)


def test_a_string_stands_for_itself_and_parts_are_joined() -> None:
    assert read("Hi") == "Hi"
    assert read([]) == ""
    assert read([{"type": "text", "text": "a", "citations": None}, {"type": "refusal", "refusal": ""}]) == "a\n"


@pytest.mark.parametrize(
    ("value", "param"),
    [
        (None, "content"),
        (3, "content"),
        ([{"type": "text", "text": ""}] * (MAX_PARTS + 1), "content"),
        (["x"], "content[0]"),
        ([{"text": "x"}], "content[0].type"),
        ([{"type": "image", "text": "x"}], "content[0].type"),
        ([{"type": "text", "refusal": "x"}], "content[0].refusal"),
        ([{"type": "text"}], "content[0].text"),
        ([{"type": "text", "text": 3}], "content[0].text"),
    ],
)
def test_what_is_no_text_is_named(value: object, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(value)
    assert caught.value.param == param
