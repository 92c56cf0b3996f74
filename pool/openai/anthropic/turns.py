"""The system prompt and the messages of Anthropic's API, every block checked, written as a chat's messages."""

from collections.abc import Collection, Mapping
from typing import Any

from pool.openai.fields import Fields, encode_json
from pool.openai.parts import MAX_PARTS, part_text, text_of
from pool.openai.turns import MAX_MESSAGES

Turn = dict[str, Any]

_TEXT: Mapping[str, Collection[str]] = {"text": ("cache_control", "citations")}
_REFUSED: Mapping[str, str] = {"toolset_name": "there are no toolsets here."}
_BLOCKS: Mapping[str, tuple[str, ...]] = {"user": ("text", "tool_result"), "assistant": ("text", "tool_use")}


def parse_turns(fields: Fields) -> bytes:
    """The conversation as canonical chat messages; neighbouring turns of one role become one, as Anthropic has it."""
    turns: list[Turn] = []
    system = text_of(fields, "system", _TEXT) if fields.has("system") else ""
    if system:
        turns.append({"role": "system", "content": system})
    fields.required("messages")
    messages = fields.array("messages", most=MAX_MESSAGES)
    if not messages:
        fields.refuse("messages", "must hold at least one message.")
    for index, value in enumerate(messages):
        _read_message(fields.item("messages", index, value), turns)
    if turns[-1]["role"] == "assistant":
        last = f"messages[{len(messages) - 1}]"
        fields.refuse(last, "the last message must be the user's: answers are not begun for the model here.")
    return encode_json(turns, "messages")


def _read_message(fields: Fields, turns: list[Turn]) -> None:
    fields.only({"role", "content"}, {})
    role = fields.needed_string("role")
    if role not in _BLOCKS:
        fields.refuse("role", "must be user or assistant; send 'system' beside the messages.")
    fields.required("content")
    content = fields.value["content"]
    if isinstance(content, str):
        _say(turns, role, content)
        return
    if not isinstance(content, list):
        fields.refuse("content", "expected a string or an array of content blocks.", "invalid_type")
    if not 0 < len(content) <= MAX_PARTS:
        fields.refuse("content", f"must hold 1 to {MAX_PARTS} blocks.")
    for index, value in enumerate(content):
        _read_block(fields.item("content", index, value), role, turns)


def _read_block(fields: Fields, role: str, turns: list[Turn]) -> None:
    kind = fields.needed_string("type")
    if kind not in _BLOCKS[role]:
        known = " and ".join(_BLOCKS[role])
        fields.refuse("type", f"'{kind[:40]}' is not supported here in a message of the {role}, only {known}.")
    fields.inner("cache_control")  # a wish about caching; prefixes are found by their content here
    if kind == "text":
        if fields.value.get("citations"):
            fields.refuse("citations", "no model here cites.", "unsupported_value")
        _say(turns, role, part_text(fields, _TEXT))
    elif kind == "tool_use":
        _add_call(turns, fields)
    else:
        turns.append(_result(fields))


def _say(turns: list[Turn], role: str, text: str) -> None:
    """More text of a role, in its turn if that is the last one."""
    if turns and turns[-1]["role"] == role:
        before = turns[-1]["content"]
        turns[-1]["content"] = text if before is None else f"{before}\n{text}"
    else:
        turns.append({"role": role, "content": text})


def _add_call(turns: list[Turn], fields: Fields) -> None:
    """A call belongs to the assistant's turn that it is in."""
    fields.only({"type", "id", "name", "input", "cache_control", "caller"}, _REFUSED)
    caller = fields.inner("caller")
    if caller is not None and caller.value.get("type") != "direct":
        caller.refuse("type", "only 'direct' is supported here.", "unsupported_value")
    arguments = encode_json(fields.needed_inner("input").value, fields.name("input")).decode()
    called = {"name": fields.needed_string("name"), "arguments": arguments}
    if not turns or turns[-1]["role"] != "assistant":
        turns.append({"role": "assistant", "content": None})
    calls = turns[-1].setdefault("tool_calls", [])
    calls.append({"id": fields.needed_string("id"), "type": "function", "function": called})


def _result(fields: Fields) -> Turn:
    """A tool's result; templates have no place for `is_error`, so the text says it."""
    fields.only({"type", "tool_use_id", "content", "is_error", "cache_control"}, _REFUSED)
    text = text_of(fields, "content", _TEXT) if fields.has("content") else ""
    if fields.boolean("is_error", False):
        text = f"Error: {text}"
    return {"role": "tool", "content": text, "tool_call_id": fields.needed_string("tool_use_id")}
