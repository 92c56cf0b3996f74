"""POST /v1/messages: bytes to a ChatRequest."""

from collections.abc import Mapping

import msgspec

from iamine.ids import ModelId
from iamine.wire.messages import Grammar
from pool.openai import sampling
from pool.openai.anthropic.turns import parse_turns
from pool.openai.chat import MAX_MODEL_CHARACTERS
from pool.openai.fields import MAX_TOKEN_ID, Fields, Object, decode_object
from pool.openai.tools import Offered, ToolsAsked, offer, read_function, schema_grammar
from pool.openai.types import ChatRequest, Tool

MAX_STOPS = 16  # what a worker takes; Anthropic's own limit is far higher

_REFUSED: Mapping[str, str] = {
    "container": "no code runs here.",
    "context_management": "nothing is edited or compacted here; send fewer messages.",
    "diagnostics": "there are none; x_iamine tells where an answer came from.",
    "inference_geo": "this pool's machines are where their owners are.",
    "mcp_servers": "the pool connects to no other servers; offer their tools as 'tools'.",
    "speed": "a machine answers as fast as it can.",
    "output_format": "it is old; send 'output_config'.",
}
_KNOWN = frozenset(
    {
        "model",
        "max_tokens",
        "messages",
        "system",
        "temperature",
        "top_p",
        "top_k",
        "stop_sequences",
        "stream",
        "tools",
        "tool_choice",
        "metadata",
        "service_tier",
        "thinking",
        "cache_control",
        "output_config",
    }
)
_COUNTED = _KNOWN - {"max_tokens", "metadata", "service_tier", "stop_sequences", "stream", "temperature", "top_k", "top_p"}


def parse_message(body: bytes, *, seed: int) -> ChatRequest:
    """The request in the body; `seed` (int64) draws its tokens. Raises InvalidRequest naming the parameter."""
    fields = Fields(decode_object(body))
    fields.only(_KNOWN, _REFUSED)
    fields.required("max_tokens")
    return _chat(fields, seed=seed, max_tokens=fields.integer("max_tokens", 1, sampling.MAX_ANSWER_TOKENS))


def parse_count(body: bytes) -> ChatRequest:
    """The request whose prompt is to be counted: no token of its answer is asked for. Raises InvalidRequest."""
    fields = Fields(decode_object(body))
    fields.only(_COUNTED, _REFUSED)
    return _chat(fields, seed=0, max_tokens=0)


def _chat(fields: Fields, *, seed: int, max_tokens: int | None) -> ChatRequest:
    _check_labels(fields)
    asked, parallel = _tools(fields)
    fields.number("temperature", 0, 1, 1.0)  # half of what a chat may have
    fields.integer("top_k", 0, MAX_TOKEN_ID)
    drawn = sampling.parse_sampling(fields, seed=seed, logprobs=None, grammar=asked.constrained(_format(fields)))
    stops = sampling.parse_stops(fields, "stop_sequences", MAX_STOPS)
    return ChatRequest(
        model=ModelId(fields.needed_string("model", max_length=MAX_MODEL_CHARACTERS)),
        messages=parse_turns(fields),
        tools_json=asked.text,
        tools=asked.tools,
        must_call=asked.forced is not None,
        parallel_tool_calls=parallel,
        sampling=msgspec.structs.replace(drawn, stop=stops),
        max_tokens=max_tokens,
        n=1,
        stream=fields.boolean("stream", False),
        include_usage=False,
        think=(fields.inner("tool_choice") or fields).value.get("type") != "none",
    )


def _check_labels(fields: Fields) -> None:
    """What cannot change an answer of this pool, and what may only say what happens here anyway."""
    fields.inner("cache_control")
    metadata = fields.inner("metadata")
    if metadata is not None:
        metadata.only({"user_id"}, {})
        metadata.string("user_id")
    if fields.string("service_tier") not in (None, "auto", "standard_only"):
        fields.refuse("service_tier", "must be auto or standard_only.")
    thinking = fields.inner("thinking")
    if thinking is not None and thinking.needed_string("type") != "disabled":
        thinking.refuse("type", "only 'disabled' is supported here: no model reasons yet.", "unsupported_value")


def _format(fields: Fields) -> Grammar | None:
    """The constraint that `output_config.format` puts on the answer."""
    config = fields.inner("output_config")
    if config is None:
        return None
    config.only({"format"}, {"effort": "how much a model reasons is up to its template."})
    asked = config.inner("format")
    if asked is None:
        return None
    asked.only({"type", "schema"}, {})
    if asked.needed_string("type") != "json_schema":
        asked.refuse("type", "must be json_schema.", "unsupported_value")
    return schema_grammar(asked)


def _tools(fields: Fields) -> tuple[ToolsAsked, bool]:
    """The tools asked for, and whether several may be called at once."""
    offered = offer(fields, _tool, "name")
    choice = fields.inner("tool_choice")
    if choice is None:
        return offered.chosen("auto"), True
    kind = choice.needed_string("type")
    if kind not in ("auto", "any", "tool", "none"):
        choice.refuse("type", "must be auto, any, tool or none.")
    choice.only({"type"} | {"disable_parallel_tool_use", *(("name",) if kind == "tool" else ())}, {})
    if kind in ("any", "tool") and not offered.tools:
        fields.refuse("tool_choice", "only allowed when 'tools' are given.")
    return _chosen(offered, kind, choice), not choice.boolean("disable_parallel_tool_use", False)


def _chosen(offered: Offered, kind: str, choice: Fields) -> ToolsAsked:
    return offered.chosen(choice if kind == "tool" else "required" if kind == "any" else kind)


def _tool(fields: Fields) -> tuple[Tool, Object]:
    if fields.string("type") not in (None, "custom"):
        fields.refuse("type", "only 'custom' is supported here: the pool runs no tools itself.", "unsupported_value")
    fields.only({"type", "name", "description", "input_schema", "strict", "cache_control", "eager_input_streaming"}, {})
    fields.inner("cache_control")
    fields.boolean("eager_input_streaming", False)  # how an input is cut into deltas; here it comes whole
    fields.required("input_schema")
    return read_function(fields, "input_schema", strict=False)
