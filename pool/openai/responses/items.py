"""The input of a response: every item checked, and written as a chat's messages."""

from collections.abc import Mapping
from typing import Any

from pool.openai.fields import Fields, encode_json
from pool.openai.parts import text_of
from pool.openai.turns import MAX_MESSAGES

Turn = dict[str, Any]

_ROLES = ("user", "assistant", "system", "developer")
_STATUSES = (None, "in_progress", "completed", "incomplete")
_PARTS = {
    "input_text": (),
    "output_text": ("annotations", "logprobs"),  # they come back from clients that echo an answer
    "refusal": (),
}
_OUTPUT_PARTS = {"input_text": ()}
_REFUSED: Mapping[str, str] = {
    "item_reference": "nothing is stored here; send the item itself.",
    "reasoning": "no model here reasons yet; leave the item out.",
}
_REFUSED_LABELS: Mapping[str, str] = {
    "caller": "only the model calls functions here.",
    "namespace": "functions have no namespaces here.",
}


def parse_input(fields: Fields) -> bytes:
    """The instructions and the input as canonical chat messages."""
    turns: list[Turn] = []
    instructions = fields.string("instructions")
    if instructions:
        turns.append({"role": "system", "content": instructions})
    fields.required("input")
    value = fields.value["input"]
    if isinstance(value, str):
        turns.append({"role": "user", "content": value})
    elif isinstance(value, list):
        _read_items(fields, turns)
    else:
        fields.refuse("input", "expected a string or an array of items.", "invalid_type")
    return encode_json(turns, "input")


def _read_items(fields: Fields, turns: list[Turn]) -> None:
    items = fields.array("input", most=MAX_MESSAGES)
    if not items:
        fields.refuse("input", "must hold at least one item.")
    for index, value in enumerate(items):
        item = fields.item("input", index, value)
        match item.string("type") or "message":
            case "message":
                turns.append(_message(item))
            case "function_call":
                _add_call(turns, _call(item))
            case "function_call_output":
                turns.append(_output(item))
            case kind:
                why = _REFUSED.get(kind, f"'{kind[:40]}' is not supported here: no tools but functions.")
                item.refuse("type", why, "unsupported_value")


def _message(fields: Fields) -> Turn:
    fields.only({"type", "id", "role", "status", "content", "phase"}, {})
    _check_labels(fields)
    fields.string("phase")  # a label of what an answer was for; it never reaches a model
    role = fields.needed_string("role")
    if role not in _ROLES:
        fields.refuse("role", f"must be one of {', '.join(_ROLES)}.")
    return {"role": "system" if role == "developer" else role, "content": text_of(fields, "content", _PARTS)}


def _call(fields: Fields) -> Turn:
    fields.only({"type", "id", "status", "call_id", "name", "arguments"}, _REFUSED_LABELS)
    _check_labels(fields)
    called = {"name": fields.needed_string("name"), "arguments": fields.string("arguments") or "{}"}
    return {"id": fields.needed_string("call_id"), "type": "function", "function": called}


def _add_call(turns: list[Turn], call: Turn) -> None:
    """A call belongs to the assistant's turn that it follows."""
    if not turns or turns[-1]["role"] != "assistant":
        turns.append({"role": "assistant", "content": None})
    turns[-1].setdefault("tool_calls", []).append(call)


def _output(fields: Fields) -> Turn:
    fields.only({"type", "id", "status", "call_id", "output"}, _REFUSED_LABELS)
    _check_labels(fields)
    called = fields.needed_string("call_id")
    return {"role": "tool", "content": text_of(fields, "output", _OUTPUT_PARTS), "tool_call_id": called}


def _check_labels(fields: Fields) -> None:
    """What items of an answer carry when they come back; it says nothing to a model."""
    fields.string("id")
    if fields.string("status") not in _STATUSES:
        fields.refuse("status", "must be in_progress, completed or incomplete.")
