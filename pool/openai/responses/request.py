"""POST /v1/responses: bytes to a ChatRequest, and what the response repeats of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from iamine.ids import ModelId
from iamine.wire.messages import Grammar
from pool.openai import sampling
from pool.openai.accepted import parse_effort
from pool.openai.chat import MAX_MODEL_CHARACTERS
from pool.openai.fields import Fields, Object, decode_object
from pool.openai.responses.items import parse_input
from pool.openai.tools import Offered, ToolsAsked, format_kind, offer, read_function, read_schema
from pool.openai.types import ChatRequest, Tool

# Chat's names of what its checks find wrong once the model is known, and this dialect's.
PARAMS: Mapping[str, str] = {"messages": "input", "response_format": "text.format", "reasoning_effort": "reasoning.effort"}

# Accepted without effect: they cannot change an answer of this pool.
_HARMLESS: Mapping[str, type] = {
    "user": str,
    "safety_identifier": str,
    "prompt_cache_key": str,
    "prompt_cache_retention": str,
    "store": bool,  # nothing is kept whatever it says, and the response says so
}
# Accepted with these values only, since they say what happens here anyway.
_ONLY: Mapping[str, tuple[object, ...]] = {
    "background": (False,),
    "service_tier": ("auto", "default"),
    "top_logprobs": (0,),
    "truncation": ("disabled",),
}
_REFUSED: Mapping[str, str] = {
    "previous_response_id": "nothing is stored here; send the whole conversation as 'input'.",
    "conversation": "nothing is stored here; send the whole conversation as 'input'.",
    "prompt": "no prompt templates are stored here; send 'input'.",
    "max_tool_calls": "it bounds built-in tools, and there are none here.",
    "context_management": "nothing is compacted here; send less 'input'.",
    "moderation": "requests are not moderated here.",
    "background_options": "nothing runs in the background here.",
    "prompt_cache_options": "prefixes are found by their content here.",
}
_KNOWN = (
    _HARMLESS.keys()
    | _ONLY.keys()
    | {
        "model",
        "input",
        "instructions",
        "max_output_tokens",
        "temperature",
        "top_p",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "text",
        "reasoning",
        "include",
        "metadata",
        "stream",
        "stream_options",
    }
)
_NO_SUMMARY = "reasoning is told as it is, or not at all."
_INCLUDABLE = ("reasoning.encrypted_content",)  # clients ask for it by themselves; there is no reasoning to encrypt


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponsesRequest:
    """The chat to produce, and the fields that the response object repeats."""

    chat: ChatRequest
    repeated: Mapping[str, Any]


def parse_responses(body: bytes, *, seed: int) -> ResponsesRequest:
    """The request in the body; `seed` (int64) draws its tokens. Raises InvalidRequest naming the parameter."""
    fields = Fields(decode_object(body))
    fields.only(_KNOWN, _REFUSED)
    _check_labels(fields)
    messages = parse_input(fields)
    offered = offer(fields, _tool, "name")
    asked = _chosen(fields, offered)
    text = fields.inner("text") or Fields({}, "text")
    stream, _ = sampling.parse_stream(_streaming(fields))
    chat = ChatRequest(
        model=ModelId(fields.needed_string("model", max_length=MAX_MODEL_CHARACTERS)),
        messages=messages,
        tools_json=asked.text,
        tools=asked.tools,
        must_call=asked.forced is not None,
        parallel_tool_calls=fields.boolean("parallel_tool_calls", True),
        sampling=sampling.parse_sampling(fields, seed=seed, logprobs=None, grammar=asked.constrained(_grammar(text))),
        max_tokens=fields.integer("max_output_tokens", 1, sampling.MAX_ANSWER_TOKENS),
        n=1,
        stream=stream,
        include_usage=False,
        effort=parse_effort(fields.inner("reasoning") or Fields({}, "reasoning"), "effort"),
        think=fields.value.get("tool_choice") != "none",
    )
    return ResponsesRequest(chat=chat, repeated=_repeated(fields, chat, offered, text))


def _check_labels(fields: Fields) -> None:
    for key, kind in _HARMLESS.items():
        fields.typed(key, kind)
    for key, values in _ONLY.items():
        value = fields.value.get(key)
        if value is not None and not any(type(value) is type(known) and value == known for known in values):
            allowed = " or ".join(repr(known) for known in values)
            fields.refuse(key, f"only {allowed} is supported here.", "unsupported_value")
    for index, included in enumerate(fields.array("include", most=len(_INCLUDABLE)) or ()):
        if included not in _INCLUDABLE:
            fields.refuse(f"include[{index}]", "only 'reasoning.encrypted_content' is known here.", "unsupported_value")
    reasoning = fields.inner("reasoning")
    if reasoning is not None:
        reasoning.only({"effort"}, {"summary": _NO_SUMMARY, "generate_summary": _NO_SUMMARY})
    metadata = fields.inner("metadata") or Fields({}, "metadata")
    for key in metadata.value:
        metadata.string(key)


def _streaming(fields: Fields) -> Fields:
    options = fields.inner("stream_options")
    if options is not None:
        options.only({"include_obfuscation"}, {})
    return fields


def _tool(fields: Fields) -> tuple[Tool, Object]:
    if fields.needed_string("type") != "function":
        fields.refuse("type", "only 'function' is supported here.", "unsupported_value")
    fields.only({"type", "name", "description", "parameters", "strict"}, {})
    return read_function(fields, "parameters", strict=True)  # true is this API's default


def _chosen(fields: Fields, offered: Offered) -> ToolsAsked:
    choice = fields.value.get("tool_choice")
    choice = "auto" if choice is None else choice
    if isinstance(choice, str):
        if choice not in ("none", "auto", "required"):
            fields.refuse("tool_choice", "must be none, auto, required or a function.", "unsupported_value")
        if choice == "required" and not offered.tools:
            fields.refuse("tool_choice", "only allowed when 'tools' are given.")
        return offered.chosen(choice)
    named = fields.needed_inner("tool_choice")
    if named.needed_string("type") != "function":
        named.refuse("type", "only 'function' is supported here.", "unsupported_value")
    named.only({"type", "name"}, {})
    if not offered.tools:
        fields.refuse("tool_choice", "only allowed when 'tools' are given.")
    return offered.chosen(named)


def _grammar(text: Fields) -> Grammar | None:
    text.only({"format"}, {"verbosity": "say in a message how long the answer should be."})
    asked = text.inner("format")
    kind = format_kind(asked)
    if asked is None:
        return None
    if kind == "json_schema":
        asked.only({"type", "name", "description", "schema", "strict"}, {})
        return read_schema(asked)
    asked.only({"type"}, {})
    return Grammar(kind="json_object") if kind == "json_object" else None


def _repeated(fields: Fields, chat: ChatRequest, offered: Offered, text: Fields) -> Mapping[str, Any]:
    """What the response says of its request, with the values that counted."""
    shown = fields.array("tools", most=len(offered.tools)) or []
    defaults = {"description": None, "parameters": None}
    return {
        "instructions": fields.string("instructions"),
        "max_output_tokens": chat.max_tokens,
        "metadata": fields.value.get("metadata") or {},
        "parallel_tool_calls": chat.parallel_tool_calls,
        "prompt_cache_key": fields.string("prompt_cache_key"),
        "reasoning": {"effort": chat.effort or None, "summary": None},
        "safety_identifier": fields.string("safety_identifier"),
        "temperature": chat.sampling.temperature,
        "text": {"format": text.value.get("format") or {"type": "text"}},
        "tool_choice": fields.value.get("tool_choice") or "auto",
        "tools": [defaults | tool | {"strict": known.strict} for tool, known in zip(shown, offered.tools, strict=True)],
        "top_p": chat.sampling.top_p,
        "user": fields.string("user"),
    }
