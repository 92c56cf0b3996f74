"""Tools, the choice among them, and response formats."""

import json
from typing import Any

import jsonschema_rs
import pytest

from iamine.wire.messages import Grammar
from pool.errors import InvalidRequest
from pool.openai.fields import Fields
from pool.openai.tools import ToolsAsked, call_grammar, parse_format, parse_tools
from pool.openai.types import Tool

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
    asked = parse_tools(Fields({"tools": [{"type": "function", "function": ADD}, tool()]} | choice))
    assert asked.forced is None
    assert [(t.name, t.strict, json.loads(t.schema)) for t in asked.tools] == [
        ("add", True, ADD["parameters"]),
        ("f", False, {"type": "object", "properties": {}}),
    ]
    shown = {key: value for key, value in ADD.items() if key != "strict"}
    assert json.loads(asked.text)[0] == {"type": "function", "function": shown}


def test_no_tool_may_be_called_when_the_choice_is_none() -> None:
    assert parse_tools(Fields({"tools": [tool()], "tool_choice": "none"})) == ToolsAsked()
    assert parse_tools(Fields({"tool_choice": "none"})) == parse_tools(Fields({})) == ToolsAsked()


REFERRING = {"type": "object", "properties": {"p": {"$ref": "#/$defs/P"}}, "required": ["p"], "$defs": {"P": {"enum": [1, 2]}}}


def test_a_call_that_must_be_made_is_a_grammar() -> None:
    given = {"tools": [tool(name="a", parameters=REFERRING), tool(name="b", parameters={"type": "object", "properties": {}})]}
    named = parse_tools(Fields(given | {"tool_choice": {"type": "function", "function": {"name": "a"}}})).forced
    either = parse_tools(Fields(given | {"tool_choice": "required"})).forced
    assert named is not None
    assert either is not None
    for grammar, names in ((named, {"a"}), (either, {"a", "b"})):
        schema = jsonschema_rs.validator_for(json.loads(grammar.text))
        assert schema.is_valid({"name": "a", "arguments": {"p": 2}})
        assert not schema.is_valid({"name": "a", "arguments": {"p": 3}})
        assert schema.is_valid({"name": "b", "arguments": {}}) == ("b" in names)
        assert not schema.is_valid({"name": "c", "arguments": {}})


@pytest.mark.parametrize("form", [Grammar(kind="json_schema", text=json.dumps(REFERRING)), Grammar(kind="json_object")])
def test_beside_a_format_a_call_may_be_made_or_not(form: Grammar) -> None:
    asked = parse_tools(Fields({"tools": [tool(name="a", parameters=REFERRING)]}))
    grammar = asked.constrained(form)
    assert grammar is not None
    fits = jsonschema_rs.validator_for(json.loads(grammar.text)).is_valid
    assert fits({"name": "a", "arguments": {"p": 2}})
    assert fits({"p": 1})
    assert fits({"p": 3}) == fits({}) == (form.kind == "json_object")
    assert asked.constrained(None) is None


def test_two_tools_may_define_one_name() -> None:
    old = {"type": "object", "properties": {"p": {"$ref": "#/definitions/P"}}, "definitions": {"P": {"const": 3}}}
    given = {"tools": [tool(name="a", parameters=REFERRING), tool(name="b", parameters=old)], "tool_choice": "required"}
    grammar = parse_tools(Fields(given)).forced
    assert grammar is not None
    schema = json.loads(grammar.text)
    assert set(schema["$defs"]) == {"tool0", "tool0-P", "tool1", "tool1-P"}
    valid = jsonschema_rs.validator_for(schema).is_valid
    assert valid({"name": "b", "arguments": {"p": 3}})
    assert not valid({"name": "b", "arguments": {"p": 1}})
    assert not valid({"name": "a", "arguments": {"p": 3}})


def test_only_references_into_the_schema_itself_are_moved() -> None:
    parameters = {"anyOf": [{"$ref": "#"}, {"$ref": "http://x.example/y"}, {"properties": {"$ref": {"type": "string"}}}]}
    (given,) = parse_tools(Fields({"tools": [tool(parameters=parameters)]})).tools
    moved = json.loads(call_grammar((given,)).text)["$defs"]["tool0"]["anyOf"]
    assert moved == [{"$ref": "#/$defs/tool0"}, *parameters["anyOf"][1:]]


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
        ({"tools": [tool()], "tool_choice": "always"}, "tool_choice"),
        ({"tools": [tool()], "tool_choice": {"type": "allowed_tools"}}, "tool_choice.type"),
        ({"tools": [tool()], "tool_choice": {"type": "function"}}, "tool_choice.function"),
        ({"tools": [tool()], "tool_choice": {"type": "function", "function": {"name": "g"}}}, "tool_choice.function.name"),
        ({"tool_choice": "required"}, "tool_choice"),
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


@pytest.mark.parametrize("depth", [200, 100_000])
def test_parameters_too_deep_for_a_grammar_are_refused(depth: int) -> None:
    schema = b'{"not":' * depth + b"{}" + b"}" * depth
    with pytest.raises(InvalidRequest) as caught:
        call_grammar((Tool(name="f", schema=schema, strict=False),))
    assert caught.value.param == "tools"
