"""Calls as tags, their values typed by the tool's schema."""

import json
from typing import Any

import pytest
from fakes.reading import JOB, call, check_cuts, parse, texts
from hypothesis import given
from hypothesis import strategies as st

from pool.openai.types import ToolCall
from pool.toolcalls.formats import Formats, reader
from pool.toolcalls.qwencoder import CLOSE, OPEN, converted, kinds
from pool.toolcalls.types import Calls, Part, Tools


def function(name: str, **values: str) -> str:
    parameters = "".join(f"<parameter={key}>\n{value}\n</parameter>\n" for key, value in values.items())
    return f"<function={name}>\n{parameters}</function>\n"


def block(*functions: str) -> str:
    return f"{OPEN}\n{''.join(functions)}{CLOSE}"


ADD = block(function("add", a="1"))
TAGS = 'if x:\n\treturn "</parameter> </tool_call>"'


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (ADD, [call()]),
        ("Let me add.\n\n" + ADD + "\n", ["Let me add.\n\n", call()]),
        (ADD + "\n" + block(function("look")), [call(), call("look", "{}", 1)]),
        (block(function("add", a="1"), function("look")), [call(), call("look", "{}", 1)]),
        (ADD.removesuffix(CLOSE), [call()]),
        (block(function("add", t="né\n☃", a=" 2 ")), [call(arguments='{"t": "né\\n☃", "a": 2}')]),
        (block(function("add", t=TAGS)), [call(arguments=json.dumps({"t": TAGS}))]),
        (block(function("add", t="12", other="[1]")), [call(arguments='{"t": "12", "other": "[1]"}')]),
        (block("<function=add><parameter=a>1</parameter></function>"), [call()]),
        (block("nonsense") + " so", [block("nonsense") + " so"]),
        (block(function("other")), [block(function("other"))]),
        (block("<function=add"), [block("<function=add")]),
        (block("<function=add</function>"), [block("<function=add</function>")]),
        (block("<function=add>\nwords\n</function>"), [block("<function=add>\nwords\n</function>")]),
        (
            block("<function=add><parameter=a</parameter></function>"),
            [block("<function=add><parameter=a</parameter></function>")],
        ),
        ('<tool_call>{"name": "add"}</tool_call>', ['<tool_call>{"name": "add"}</tool_call>']),
        (OPEN + "<function=add>", [OPEN + "<function=add>"]),
    ],
)
def test_calls_and_content_are_told_apart(text: str, parts: list[Part]) -> None:
    assert parse([text], tool="qwen-coder") == parse(list(text), tool="qwen-coder") == parts


SCHEMA: dict[str, Any] = {
    "properties": {
        "count": {"type": "integer"},
        "share": {"type": "number"},
        "flag": {"type": "boolean"},
        "items": {"type": "array"},
        "deep": {"$ref": "#/$defs/deep"},
        "maybe": {"type": ["integer", "null"]},
        "either": {"anyOf": [{"type": "string"}, {"type": "object"}]},
        "level": {"enum": [1, 2, None]},
        "fixed": {"const": True},
        "far": {"$ref": "http://elsewhere"},
        "lost": {"$ref": "#/$defs/nowhere/at/all"},
        "odd": True,
    },
    "$defs": {"deep": {"type": "object"}, "loop": {"$ref": "#/$defs/loop"}},
}


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("count", "3", 3),
        ("count", "3.0", 3),
        ("count", "3.5", "3.5"),
        ("count", "three", "three"),
        ("share", "3", 3),
        ("share", "0.5", 0.5),
        ("share", "NaN", "NaN"),
        ("flag", "True", True),
        ("flag", "false", False),
        ("items", '[1, {"a": [null]}]', [1, {"a": [None]}]),
        ("deep", '{"a": {"b": "é"}}', {"a": {"b": "é"}}),
        ("maybe", "None", None),
        ("maybe", "null", None),
        ("either", '{"a": 1}', {"a": 1}),
        ("either", "12", "12"),
        ("level", "2", 2),
        ("fixed", "true", True),
        ("far", "2", "2"),
        ("lost", "2", "2"),
        ("odd", "2", "2"),
        ("unknown", "2", "2"),
    ],
)
def test_a_value_is_of_the_type_that_the_schema_names(key: str, text: str, value: Any) -> None:
    calls = Calls(JOB, Tools(accepts=lambda _n, _a: True, schemas={"f": SCHEMA}))
    one = reader(Formats(tool="qwen-coder"), calls, tools=True, opened=False)
    (made,) = one.feed(block(function("f", **{key: text})))
    assert isinstance(made, ToolCall)
    found = json.loads(made.arguments)[key]
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize("schema", [None, [], {"properties": 3}, True])
def test_without_a_schema_values_are_text(schema: Any) -> None:
    calls = Calls(JOB, Tools(accepts=lambda _n, _a: True, schemas={"f": schema}))
    (made,) = reader(Formats(tool="qwen-coder"), calls, tools=True, opened=False).feed(block(function("f", a="1")))
    assert isinstance(made, ToolCall) and made.arguments == '{"a": "1"}'


def test_a_schema_that_turns_in_circles_names_no_type() -> None:
    assert kinds({"$ref": "#/$defs/loop"}, SCHEMA) == frozenset()
    wide = {"anyOf": [{"$ref": "#"}, *[{"$ref": "#/anyOf/0"}] * 100]}
    assert kinds(wide, wide) == frozenset()
    assert kinds({"type": 3}, {}) == kinds({"anyOf": 3}, {}) == frozenset()


def test_nested_json_that_is_too_deep_is_text() -> None:
    assert converted("[" * 100_000, frozenset({"array"})) == "[" * 100_000


@given(texts(OPEN, CLOSE, ADD, "<function=add>", "</function>", "<parameter=a>", "</parameter>", "1"), st.data())
def test_every_way_of_cutting_gives_the_same_parts(text: str, data: st.DataObject) -> None:
    check_cuts(text, data, lambda deltas: parse(deltas, tool="qwen-coder"))
    parts = parse([text], tool="qwen-coder")
    if not any(isinstance(part, ToolCall) for part in parts):
        assert "".join(part for part in parts if isinstance(part, str)) == text
