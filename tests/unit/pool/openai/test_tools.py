"""Tools, the choice among them, and response formats."""

import json
from typing import Any

import pytest

from iamine.wire.messages import Grammar
from pool.errors import InvalidRequest
from pool.openai.fields import Fields
from pool.openai.tools import parse_format, parse_tools

ADD = {
    "name": "add",
    "description": "Adds.",
    "parameters": {"type": "object", "properties": {"a": {"type": "number"}}},
    "strict": True,
}


def tool(**function: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "f"} | function}


def refused(parse: Any, fields: dict[str, Any]) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        parse(Fields(fields))
    return caught.value


@pytest.mark.parametrize("choice", [{}, {"tool_choice": "auto"}, {"tool_choice": None}])
def test_tools_are_read(choice: dict[str, Any]) -> None:
    tools, text = parse_tools(Fields({"tools": [{"type": "function", "function": ADD}, tool()]} | choice))
    assert [(t.name, t.strict, json.loads(t.schema)) for t in tools] == [
        ("add", True, ADD["parameters"]),
        ("f", False, {"type": "object", "properties": {}}),
    ]
    shown = {key: value for key, value in ADD.items() if key != "strict"}
    assert json.loads(text)[0] == {"type": "function", "function": shown}


def test_no_tool_may_be_called_when_the_choice_is_none() -> None:
    assert parse_tools(Fields({"tools": [tool()], "tool_choice": "none"})) == ((), b"[]")
    assert parse_tools(Fields({"tool_choice": "none"})) == ((), b"[]")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": {}}, "tools"),
        ({"tools": [tool()] * 129}, "tools"),
        ({"tools": [tool(), tool()]}, "tools[1].function.name"),
        ({"tools": [1]}, "tools[0]"),
        ({"tools": [{"type": "custom"}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [tool() | {"x": 1}]}, "tools[0].x"),
        ({"tools": [tool(name="a b")]}, "tools[0].function.name"),
        ({"tools": [tool(name="a" * 65)]}, "tools[0].function.name"),
        ({"tools": [tool(parameters=[])]}, "tools[0].function.parameters"),
        ({"tools": [tool(strict="yes")]}, "tools[0].function.strict"),
        ({"tools": [tool(x=1)]}, "tools[0].function.x"),
        ({"tools": [tool(parameters={"x": "y" * 300_000})]}, "tools"),
        ({"tools": [tool()], "tool_choice": "required"}, "tool_choice"),
        ({"tools": [tool()], "tool_choice": {"type": "function", "function": {"name": "f"}}}, "tool_choice"),
        ({"tools": [tool()], "tool_choice": 1}, "tool_choice"),
        ({"tool_choice": "auto"}, "tool_choice"),
    ],
)
def test_tools_that_cannot_be_offered_are_refused_by_name(fields: dict[str, Any], param: str) -> None:
    assert refused(parse_tools, fields).param == param


def test_formats_become_grammars() -> None:
    def read(value: Any) -> Grammar | None:
        return parse_format(Fields({"response_format": value}))

    assert read(None) is None
    assert read({"type": "text"}) is None
    assert read({"type": "json_object"}) == Grammar(kind="json_object")
    schema = {"name": "n", "description": "d", "schema": {"type": "object"}, "strict": True}
    assert read({"type": "json_schema", "json_schema": schema}) == Grammar(kind="json_schema", text='{"type":"object"}')


@pytest.mark.parametrize(
    ("value", "param"),
    [
        ("json", "response_format"),
        ({}, "response_format.type"),
        ({"type": "xml"}, "response_format.type"),
        ({"type": "text", "json_schema": {}}, "response_format.json_schema"),
        ({"type": "json_schema"}, "response_format.json_schema"),
        ({"type": "json_schema", "json_schema": {"schema": {}}}, "response_format.json_schema.name"),
        ({"type": "json_schema", "json_schema": {"name": "n"}}, "response_format.json_schema.schema"),
        ({"type": "json_schema", "json_schema": {"name": "n", "schema": True}}, "response_format.json_schema.schema"),
        (
            {"type": "json_schema", "json_schema": {"name": "n", "schema": {"x": "y" * 140_000}}},
            "response_format.json_schema.schema",
        ),
    ],
)
def test_formats_that_are_none_are_refused_by_name(value: Any, param: str) -> None:
    assert refused(parse_format, {"response_format": value}).param == param
