"""The tools of a chat, the choice among them, and the format the answer must have."""

import re

from iamine.wire.messages import Grammar
from pool.openai.fields import Fields, encode_json
from pool.openai.types import Tool

MAX_TOOLS = 128  # OpenAI's limit
MAX_TOOLS_BYTES = 262_144
MAX_SCHEMA_BYTES = 131_072
MAX_DESCRIPTION_CHARACTERS = 16_384
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")  # OpenAI's rule for functions and schemas


def parse_tools(fields: Fields) -> tuple[tuple[Tool, ...], bytes]:
    """The tools, and their canonical JSON for the template: none of both when tool_choice is "none"."""
    given = fields.array("tools", most=MAX_TOOLS) or []
    read = [_tool(fields.item("tools", i, tool)) for i, tool in enumerate(given)]
    tools = tuple(tool for tool, _ in read)
    for index, tool in enumerate(tools):
        if any(tool.name == earlier.name for earlier in tools[:index]):
            fields.refuse(f"tools[{index}].function.name", f"'{tool.name}' is there twice.")
    text = encode_json([shown for _, shown in read], "tools")
    if len(text) > MAX_TOOLS_BYTES:
        fields.refuse("tools", f"at most {MAX_TOOLS_BYTES} bytes of JSON.")
    return (tools, text) if _may_call(fields, bool(tools)) else ((), b"[]")


def _tool(fields: Fields) -> tuple[Tool, dict[str, object]]:
    if fields.needed_string("type") != "function":
        fields.refuse("type", "only 'function' is supported here.", "unsupported_value")
    fields.only({"type", "function"}, {})
    function = fields.needed_inner("function")
    function.only({"name", "description", "parameters", "strict"}, {})
    name = _name(function)
    description = function.string("description", max_length=MAX_DESCRIPTION_CHARACTERS)
    parameters = function.inner("parameters")
    schema = {"type": "object", "properties": {}} if parameters is None else parameters.value
    shown: dict[str, object] = {"name": name, "parameters": schema}
    if description:
        shown["description"] = description
    tool = Tool(name=name, schema=encode_json(schema, function.name("parameters")), strict=function.boolean("strict", False))
    return tool, {"type": "function", "function": shown}


def _name(fields: Fields) -> str:
    name = fields.needed_string("name")
    if not NAME.fullmatch(name):
        fields.refuse("name", "must be 1 to 64 of a-z, A-Z, 0-9, _ and -.")
    return name


def _may_call(fields: Fields, tools: bool) -> bool:
    choice = fields.value.get("tool_choice")
    if choice is None:
        return tools
    if not isinstance(choice, str | dict):
        fields.refuse("tool_choice", "expected 'none' or 'auto'.", "invalid_type")
    if choice not in ("none", "auto"):
        fields.refuse("tool_choice", "only 'none' and 'auto' are supported yet.", "unsupported_value")
    if choice == "auto" and not tools:
        fields.refuse("tool_choice", "only allowed when 'tools' are given.")
    return choice == "auto"


def parse_format(fields: Fields) -> Grammar | None:
    """The constraint that `response_format` puts on the answer, None for plain text."""
    asked = fields.inner("response_format")
    if asked is None:
        return None
    kind = asked.needed_string("type")
    if kind not in ("text", "json_object", "json_schema"):
        asked.refuse("type", "must be text, json_object or json_schema.", "unsupported_value")
    if kind == "json_schema":
        asked.only({"type", "json_schema"}, {})
        return _schema(asked.needed_inner("json_schema"))
    asked.only({"type"}, {})
    return Grammar(kind="json_object") if kind == "json_object" else None


def _schema(fields: Fields) -> Grammar:
    fields.only({"name", "description", "schema", "strict"}, {})
    _name(fields)
    fields.string("description", max_length=MAX_DESCRIPTION_CHARACTERS)
    fields.boolean("strict", False)  # the grammar holds either way
    text = encode_json(fields.needed_inner("schema").value, fields.name("schema"))
    if len(text) > MAX_SCHEMA_BYTES:
        fields.refuse("schema", f"at most {MAX_SCHEMA_BYTES} bytes of JSON.")
    return Grammar(kind="json_schema", text=text.decode())
