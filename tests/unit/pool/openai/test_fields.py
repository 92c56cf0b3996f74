"""Reading a JSON object: what is wrong is refused by its path."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pool.errors import InvalidRequest
from pool.openai.fields import Fields, decode_object, encode_json, token_ids


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e999}',
        b'{"a": "\\ud800x"}',
        b'{"a": "\xff"}',
        b"\xef\xbb\xbf{}",
        b'{"a":' + b"9" * 6000 + b"}",
        b'{"a":' * 100_000,
    ],
)
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode_object(body)
    assert (caught.value.status, caught.value.code, caught.value.param) == (400, "invalid_json", None)


@given(st.binary(max_size=64))
def test_any_bytes_give_an_object_or_a_refusal(body: bytes) -> None:
    try:
        assert isinstance(decode_object(body), dict)
    except InvalidRequest as refused:
        assert refused.status == 400


_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text(), _values, max_size=4))
def test_an_object_comes_back_as_it_was_sent(value: dict[str, Any]) -> None:
    assert decode_object(encode_json(value, "x")) == json.loads(json.dumps(value)) == value


def test_what_is_too_deep_to_write_is_refused_by_name() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(InvalidRequest, match="'schema' is nested too deeply"):
        encode_json(deep, "schema")
    while deep:  # freed by hand: the interpreter would recurse
        deep = deep.pop()


READERS = {
    "string": lambda fields: fields.string("k", max_length=3),
    "needed_string": lambda fields: fields.needed_string("k", max_length=3),
    "boolean": lambda fields: fields.boolean("k", True),
    "integer": lambda fields: fields.integer("k", 0, 5),
    "number": lambda fields: fields.number("k", 0, 5, 1.5),
    "array": lambda fields: fields.array("k", most=2),
    "inner": lambda fields: fields.inner("k"),
    "needed_inner": lambda fields: fields.needed_inner("k"),
    "item": lambda fields: fields.item("k", 3, fields.value["k"]),
}


@pytest.mark.parametrize(
    ("reader", "value", "code"),
    [
        ("string", 1, "invalid_type"),
        ("string", "long", "invalid_value"),
        ("needed_string", None, "missing_required_parameter"),
        ("needed_string", "", "invalid_value"),
        ("boolean", 1, "invalid_type"),
        ("boolean", "true", "invalid_type"),
        ("integer", True, "invalid_type"),
        ("integer", 1.0, "invalid_type"),
        ("integer", 6, "invalid_value"),
        ("integer", -1, "invalid_value"),
        ("number", True, "invalid_type"),
        ("number", "1", "invalid_type"),
        ("number", 5.1, "invalid_value"),
        ("array", {}, "invalid_type"),
        ("array", [1, 2, 3], "invalid_value"),
        ("inner", [], "invalid_type"),
        ("needed_inner", None, "missing_required_parameter"),
        ("item", None, "invalid_type"),
    ],
)
def test_a_wrong_value_is_refused_by_its_path(reader: str, value: object, code: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        READERS[reader](Fields({"k": value}, "top[0]"))
    assert caught.value.param == ("top[0].k[3]" if reader == "item" else "top[0].k")
    assert caught.value.code == code


def test_null_counts_as_absent() -> None:
    for value in ({}, {"k": None}):
        fields = Fields(value)
        assert fields.string("k") is None
        assert fields.boolean("k", True) is True
        assert fields.integer("k", 0, 1) is None
        assert fields.number("k", 0, 1, 0.5) == 0.5
        assert fields.array("k", most=1) is None
        assert fields.inner("k") is None
        assert not fields.has("k")


def test_good_values_are_read() -> None:
    fields = Fields({"s": "abc", "b": False, "i": 2**63 - 1, "n": 2, "a": [1], "o": {"x": 1}})
    assert fields.string("s", max_length=3) == fields.needed_string("s") == "abc"
    assert fields.boolean("b", True) is False
    assert fields.integer("i", 0, 2**63 - 1) == 2**63 - 1
    assert fields.number("n", 0, 2, 0.0) == 2.0
    assert fields.array("a", most=1) == [1]
    assert fields.inner("o") == fields.needed_inner("o") == Fields({"x": 1}, "o")
    assert fields.item("a", 0, {}).path == "a[0]"


def test_unknown_keys_are_refused_and_documented_ones_say_why() -> None:
    Fields({"a": 1, "old": None}).only({"a"}, {"old": "use a."})
    with pytest.raises(InvalidRequest, match="use a") as refused:
        Fields({"old": 1}).only({"a"}, {"old": "use a."})
    assert refused.value.code == "unsupported_parameter"
    with pytest.raises(InvalidRequest) as unknown:
        Fields({"b": None}, "in").only({"a"}, {})
    assert (unknown.value.code, unknown.value.param) == ("unknown_parameter", "in.b")


@pytest.mark.parametrize("bad", [-1, 2**31, True, 1.0, "1", None])
def test_token_ids_are_integers_from_0(bad: object) -> None:
    assert token_ids(Fields({}), "prompt", [0, 2**31 - 1]) == (0, 2**31 - 1)
    with pytest.raises(InvalidRequest) as caught:
        token_ids(Fields({}), "prompt", [1, bad])
    assert caught.value.param == "prompt[1]"
