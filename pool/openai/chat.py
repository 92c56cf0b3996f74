"""POST /v1/chat/completions: bytes to ChatRequest."""

from iamine.ids import ModelId
from pool.openai import sampling
from pool.openai.accepted import HARMLESS, ONLY, REFUSED_CHAT, check_harmless, parse_effort
from pool.openai.fields import Fields, decode_object
from pool.openai.tools import parse_format, parse_tools
from pool.openai.turns import parse_messages
from pool.openai.types import ChatRequest

MAX_MODEL_CHARACTERS = 256

_KNOWN = (
    sampling.KNOWN
    | HARMLESS.keys()
    | ONLY.keys()
    | {
        "model",
        "messages",
        "stream",
        "stream_options",
        "max_tokens",
        "max_completion_tokens",
        "n",
        "logprobs",
        "top_logprobs",
        "response_format",
        "tools",
        "reasoning_effort",
        "tool_choice",
        "parallel_tool_calls",
    }
)


def parse_chat(body: bytes, *, seed: int) -> ChatRequest:
    """The request in the body; `seed` (int64) is used when it has none. Raises InvalidRequest naming the parameter."""
    fields = Fields(decode_object(body))
    fields.only(_KNOWN, REFUSED_CHAT)
    check_harmless(fields)
    model = fields.needed_string("model", max_length=MAX_MODEL_CHARACTERS)
    messages = parse_messages(fields)
    asked = parse_tools(fields)
    if asked.tools and fields.has("grammar"):
        fields.refuse(
            "grammar", "it cannot be combined with 'tools'; send tool_choice 'none' or leave one out.", "unsupported_value"
        )
    stream, include_usage = sampling.parse_stream(fields)
    return ChatRequest(
        model=ModelId(model),
        messages=messages,
        tools_json=asked.text,
        tools=asked.tools,
        must_call=asked.forced is not None,
        parallel_tool_calls=fields.boolean("parallel_tool_calls", True),
        sampling=sampling.parse_sampling(
            fields, seed=seed, logprobs=_logprobs(fields), grammar=asked.constrained(parse_format(fields))
        ),
        max_tokens=_max_tokens(fields),
        n=sampling.parse_choices(fields),
        stream=stream,
        include_usage=include_usage,
        effort=parse_effort(fields, "reasoning_effort"),
        think=fields.value.get("tool_choice") != "none",
    )


def _max_tokens(fields: Fields) -> int | None:
    old = fields.integer("max_tokens", 1, sampling.MAX_ANSWER_TOKENS)
    new = fields.integer("max_completion_tokens", 1, sampling.MAX_ANSWER_TOKENS)
    if old is not None and new is not None and old != new:
        fields.refuse("max_tokens", "it differs from 'max_completion_tokens': send one of them.")
    return old if new is None else new


def _logprobs(fields: Fields) -> int | None:
    top = fields.integer("top_logprobs", 0, sampling.MAX_TOP_LOGPROBS)
    if fields.boolean("logprobs", False):
        return top or 0
    if top is not None:
        fields.refuse("top_logprobs", "only allowed when 'logprobs' is true.")
    return None
