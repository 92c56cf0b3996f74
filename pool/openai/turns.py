"""The messages of a chat: every role and part checked, and written as the canonical JSON that templates take."""

from collections.abc import Mapping
from typing import Any

from pool.errors import InvalidRequest
from pool.openai.fields import Fields, encode_json

MAX_MESSAGES = 4096
MAX_PARTS = 1024
MAX_CALLS = 128
MAX_NAME_CHARACTERS = 256

_ROLES = ("system", "developer", "user", "assistant", "tool")
_KNOWN: Mapping[str, frozenset[str]] = {
    "system": frozenset({"role", "content", "name"}),
    "developer": frozenset({"role", "content", "name"}),
    "user": frozenset({"role", "content", "name"}),
    # annotations come back from clients that echo an answer; they cite sources and never reach a model
    "assistant": frozenset({"role", "content", "reasoning_content", "name", "tool_calls", "refusal", "annotations"}),
    "tool": frozenset({"role", "content", "name", "tool_call_id"}),
}
_REFUSED: Mapping[str, str] = {
    "function_call": "it is deprecated; send 'tool_calls'.",
    "audio": "this pool reads text only.",
    "tool_calls": "only assistant messages have tool calls.",
    "refusal": "only assistant messages have a refusal.",
    "annotations": "only assistant messages have annotations.",
    "reasoning_content": "only assistant messages have reasoning.",
    "tool_call_id": "only tool messages answer a tool call.",
}


def parse_messages(fields: Fields) -> bytes:
    """The messages as canonical JSON: content is one string, developer is system."""
    fields.required("messages")
    messages = fields.array("messages", most=MAX_MESSAGES)
    if not messages:
        fields.refuse("messages", "must hold at least one message.")
    return encode_json([_message(fields.item("messages", i, m)) for i, m in enumerate(messages)], "messages")


def _message(fields: Fields) -> dict[str, Any]:
    role = fields.needed_string("role")
    if role == "function":
        fields.refuse("role", "'function' is deprecated; use 'tool'.", "unsupported_value")
    if role not in _ROLES:
        fields.refuse("role", f"must be one of {', '.join(_ROLES)}.")
    fields.only(_KNOWN[role], _REFUSED)
    message: dict[str, Any] = {"role": "system" if role == "developer" else role}
    name = fields.string("name", max_length=MAX_NAME_CHARACTERS)
    if name:
        message["name"] = name
    if role == "assistant":
        return message | _assistant(fields)
    fields.required("content")
    message["content"] = _content(fields, refusals=False)
    if role == "tool":
        message["tool_call_id"] = fields.needed_string("tool_call_id")
    return message


def _assistant(fields: Fields) -> dict[str, Any]:
    calls = fields.array("tool_calls", most=MAX_CALLS)
    refusal = fields.string("refusal")
    content = _content(fields, refusals=True) if fields.has("content") else refusal
    if content is None and not calls:
        fields.required("content")
    body: dict[str, Any] = {"content": content}
    reasoning = fields.string("reasoning_content")
    if reasoning:
        body["reasoning_content"] = reasoning  # the template decides what of it the model sees again
    if calls:
        body["tool_calls"] = [_call(fields.item("tool_calls", i, call)) for i, call in enumerate(calls)]
    return body


def _call(fields: Fields) -> dict[str, Any]:
    fields.only({"id", "type", "function", "index"}, {})  # index: clients that collect a stream keep it
    if fields.string("type") not in (None, "function"):
        fields.refuse("type", "only 'function' is supported here.", "unsupported_value")
    function = fields.needed_inner("function")
    function.only({"name", "arguments"}, {})
    called = {"name": function.needed_string("name"), "arguments": function.string("arguments") or "{}"}
    return {"id": fields.needed_string("id"), "type": "function", "function": called}


def _content(fields: Fields, *, refusals: bool) -> str:
    value = fields.value["content"]
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        fields.refuse("content", "expected a string or an array of content parts.", "invalid_type")
    if not 0 < len(value) <= MAX_PARTS:
        fields.refuse("content", f"must hold 1 to {MAX_PARTS} parts.")
    return "\n".join(_part(fields.item("content", i, part), refusals) for i, part in enumerate(value))


def _part(fields: Fields, refusals: bool) -> str:
    kind = fields.needed_string("type")
    key = "refusal" if kind == "refusal" and refusals else "text"
    if kind != key:
        message = f"'{fields.path}': content of type '{kind[:40]}' is not supported here, only text."
        raise InvalidRequest(message, param=fields.path, code="unsupported_value")
    fields.only({"type", key}, {})
    fields.required(key)
    return fields.string(key) or ""
