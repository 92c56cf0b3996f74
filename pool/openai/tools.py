"""The tools of a chat, the choice among them, and the format the answer must have."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from iamine.wire.messages import Grammar
from pool.errors import InvalidRequest
from pool.openai.fields import Fields, Object, encode_json
from pool.openai.types import Tool

MAX_TOOLS = 128  # OpenAI's limit
MAX_TOOLS_BYTES = 262_144
MAX_SCHEMA_BYTES = 131_072
MAX_DESCRIPTION_CHARACTERS = 16_384
MAX_SCHEMA_DEPTH = 64  # of one tool; what people write stays under ten
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")  # OpenAI's rule for functions and schemas
_DEFINITIONS = ("$defs", "definitions")  # JSON Schema 2020-12 and before
_INTO_DEFINITIONS = re.compile(r"^/(\$defs|definitions)/")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolsAsked:
    """The tools that may be called, their canonical JSON for the template, and the grammar of a call that must be made."""

    tools: tuple[Tool, ...] = ()
    text: bytes = b"[]"
    forced: Grammar | None = None

    def constrained(self, form: Grammar | None) -> Grammar | None:
        """What holds for the whole answer: a call that must be made, else one that may be made or the format asked for."""
        if self.forced is not None or form is None or not self.tools:
            return self.forced or form
        return call_grammar(self.tools, form)


def parse_tools(fields: Fields) -> ToolsAsked:
    """The tools and the choice among them; nothing is offered to the model when tool_choice is "none"."""
    offered = offer(fields, _tool, "function.name")
    choice = fields.value.get("tool_choice")
    if choice is not None and not isinstance(choice, str | dict):
        fields.refuse("tool_choice", "expected a string or an object.", "invalid_type")
    if choice is None and not offered.tools:
        return ToolsAsked()
    if isinstance(choice, str) and choice not in ("none", "auto", "required"):
        fields.refuse("tool_choice", "must be none, auto, required or a function.", "unsupported_value")
    if choice != "none" and not offered.tools:
        fields.refuse("tool_choice", "only allowed when 'tools' are given.")
    return offered.chosen(_named(fields) if isinstance(choice, dict) else choice or "auto")


@dataclass(frozen=True, slots=True)
class Offered:
    """The tools of a request and their canonical JSON, before the choice among them."""

    tools: tuple[Tool, ...]
    text: bytes

    def chosen(self, choice: "str | Fields") -> ToolsAsked:
        """What is asked by none, auto, required, or the object whose `name` is that of the tool to call."""
        if choice == "none" or not self.tools:
            return ToolsAsked()
        if isinstance(choice, Fields):
            return ToolsAsked(tools=self.tools, text=self.text, forced=call_grammar((self._find(choice),)))
        forced = call_grammar(self.tools) if choice == "required" else None
        return ToolsAsked(tools=self.tools, text=self.text, forced=forced)

    def _find(self, choice: Fields) -> Tool:
        name = choice.needed_string("name")
        found = next((tool for tool in self.tools if tool.name == name), None)
        if found is None:
            choice.refuse("name", "it is none of the 'tools'.")
        return found


def offer(fields: Fields, read: Callable[[Fields], tuple[Tool, Object]], name: str) -> Offered:
    """The `tools`, each as `read` finds it and shows it to the model; `name` is where its name stands."""
    given = fields.array("tools", most=MAX_TOOLS) or []
    found = [read(fields.item("tools", i, tool)) for i, tool in enumerate(given)]
    tools = tuple(tool for tool, _ in found)
    for index, tool in enumerate(tools):
        if any(tool.name == earlier.name for earlier in tools[:index]):
            fields.refuse(f"tools[{index}].{name}", f"'{tool.name}' is there twice.")
    text = encode_json([shown for _, shown in found], "tools")
    if len(text) > MAX_TOOLS_BYTES:
        fields.refuse("tools", f"at most {MAX_TOOLS_BYTES} bytes of JSON.")
    return Offered(tools, text)


def _tool(fields: Fields) -> tuple[Tool, Object]:
    if fields.needed_string("type") != "function":
        fields.refuse("type", "only 'function' is supported here.", "unsupported_value")
    fields.only({"type", "function"}, {})
    function = fields.needed_inner("function")
    function.only({"name", "description", "parameters", "strict"}, {})
    return read_function(function, "parameters", strict=False)


def read_function(fields: Fields, schema_key: str, *, strict: bool) -> tuple[Tool, Object]:
    """The tool that an object describes, and how templates see it; `strict` counts when it says nothing of that."""
    name = _name(fields)
    description = fields.string("description", max_length=MAX_DESCRIPTION_CHARACTERS)
    parameters = fields.inner(schema_key)
    schema = {"type": "object", "properties": {}} if parameters is None else parameters.value
    shown: dict[str, object] = {"name": name, "parameters": schema}
    if description:
        shown["description"] = description
    param = fields.name(schema_key)
    tool = Tool(name=name, schema=encode_json(schema, param), strict=fields.boolean("strict", strict), param=param)
    return tool, {"type": "function", "function": shown}


def _name(fields: Fields) -> str:
    name = fields.needed_string("name")
    if not NAME.fullmatch(name):
        fields.refuse("name", "must be 1 to 64 of a-z, A-Z, 0-9, _ and -.")
    return name


def _named(fields: Fields) -> Fields:
    choice = fields.needed_inner("tool_choice")
    if choice.needed_string("type") != "function":
        choice.refuse("type", "only 'function' is supported here.", "unsupported_value")
    choice.only({"type", "function"}, {})
    function = choice.needed_inner("function")
    function.only({"name"}, {})
    return function


def _is_deeper(value: Any, limit: int) -> bool:
    """Whether lists and objects are nested more than `limit` deep; level by level, so depth itself costs no stack."""
    level = [value]
    for _ in range(limit):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ())
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def call_grammar(tools: tuple[Tool, ...], form: Grammar | None = None) -> Grammar:
    """The JSON schema of one call of one of the tools: {"name": ..., "arguments": {...}}, or of content in the format `form`.

    Each tool's parameters, and what they define, stand under $defs with the tool's number: a grammar's rules are named
    by the last part of a reference, and two tools may use one name.
    """
    try:
        defined = dict(
            pair for i, tool in enumerate(tools) for pair in _definitions(f"tool{i}", msgspec.json.decode(tool.schema))
        )
        content = [] if form is None else [{"$ref": "#/$defs/content"}]
        if form is not None:
            defined |= _definitions("content", msgspec.json.decode(form.text) if form.text else {"type": "object"})
        deep = any(_is_deeper(value, MAX_SCHEMA_DEPTH) for value in defined.values())
    except RecursionError:  # where the interpreter's own limit is the lower one: it differs by version
        deep = True
    if deep:
        raise InvalidRequest(f"'tools' are nested more than {MAX_SCHEMA_DEPTH} deep.", param="tools")
    calls = [
        {
            "type": "object",
            "properties": {"name": {"const": tool.name}, "arguments": {"$ref": f"#/$defs/tool{i}"}},
            "required": ["name", "arguments"],
            "additionalProperties": False,
        }
        for i, tool in enumerate(tools)
    ]
    either = calls + content
    schema = (either[0] if len(either) == 1 else {"anyOf": either}) | {"$defs": defined}
    return Grammar(kind="json_schema", text=encode_json(schema, "tools").decode())


def _definitions(name: str, schema: Object) -> Iterator[tuple[str, Any]]:
    """The schema under `name`, and each of its definitions under `name-…`."""
    yield name, _moved({key: value for key, value in schema.items() if key not in _DEFINITIONS}, name)
    for key in _DEFINITIONS:
        definitions = schema.get(key)
        if isinstance(definitions, dict):
            yield from ((f"{name}-{inner}", _moved(value, name)) for inner, value in definitions.items())


def _moved(value: Any, name: str) -> Any:
    """The value with every reference into its own document led to where that stands now."""
    if isinstance(value, list):
        return [_moved(item, name) for item in value]
    if not isinstance(value, dict):
        return value
    moved = {key: _moved(inner, name) for key, inner in value.items()}
    reference = value.get("$ref")
    if isinstance(reference, str) and reference.startswith("#"):
        moved["$ref"] = "#/$defs/" + name + _INTO_DEFINITIONS.sub("-", reference[1:])
    return moved


def parse_format(fields: Fields) -> Grammar | None:
    """The constraint that `response_format` puts on the answer, None for plain text."""
    asked = fields.inner("response_format")
    kind = format_kind(asked)
    if asked is None:
        return None
    if kind == "json_schema":
        asked.only({"type", "json_schema"}, {})
        schema = asked.needed_inner("json_schema")
        schema.only({"name", "description", "schema", "strict"}, {})
        return read_schema(schema)
    asked.only({"type"}, {})
    return Grammar(kind="json_object") if kind == "json_object" else None


def format_kind(asked: Fields | None) -> str:
    """text, json_object or json_schema."""
    if asked is None:
        return "text"
    kind = asked.needed_string("type")
    if kind not in ("text", "json_object", "json_schema"):
        asked.refuse("type", "must be text, json_object or json_schema.", "unsupported_value")
    return kind


def read_schema(fields: Fields) -> Grammar:
    """The grammar of a named schema."""
    _name(fields)
    fields.string("description", max_length=MAX_DESCRIPTION_CHARACTERS)
    fields.boolean("strict", False)  # the grammar holds either way
    return schema_grammar(fields)


def schema_grammar(fields: Fields) -> Grammar:
    """The grammar of the JSON schema under `schema`."""
    text = encode_json(fields.needed_inner("schema").value, fields.name("schema"))
    if len(text) > MAX_SCHEMA_BYTES:
        fields.refuse("schema", f"at most {MAX_SCHEMA_BYTES} bytes of JSON.")
    return Grammar(kind="json_schema", text=text.decode())
