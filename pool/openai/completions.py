"""POST /v1/completions: bytes to CompletionRequest."""

from typing import Any

from iamine.ids import ModelId
from pool.openai import sampling
from pool.openai.accepted import HARMLESS, REFUSED_COMPLETION, check_harmless
from pool.openai.chat import MAX_MODEL_CHARACTERS
from pool.openai.fields import Fields, decode_object, token_ids
from pool.openai.types import CompletionRequest, Prompt

MAX_PROMPTS = 64
MAX_SEQUENCES = 64
DEFAULT_MAX_TOKENS = 16  # OpenAI's API reference, completions, max_tokens
MAX_OLD_LOGPROBS = 5  # ibid., logprobs

_KNOWN = (
    sampling.KNOWN
    | HARMLESS.keys()
    | {"model", "prompt", "stream", "stream_options", "max_tokens", "n", "best_of", "logprobs", "echo"}
)


def parse_completion(body: bytes, *, seed: int) -> CompletionRequest:
    """The request in the body; `seed` (int64) is used when it has none. Raises InvalidRequest naming the parameter."""
    fields = Fields(decode_object(body))
    fields.only(_KNOWN, REFUSED_COMPLETION)
    check_harmless(fields)
    model = fields.needed_string("model", max_length=MAX_MODEL_CHARACTERS)
    prompts = parse_prompts(fields, "prompt", MAX_PROMPTS)
    n = sampling.parse_choices(fields)
    if len(prompts) * n > MAX_SEQUENCES:
        fields.refuse("n", f"at most {MAX_SEQUENCES} completions (prompts x n) in one request.")
    if (fields.integer("best_of", 1, sampling.MAX_CHOICES) or n) != n:
        fields.refuse("best_of", "only the value of 'n' is supported here.", "unsupported_value")
    logprobs = fields.integer("logprobs", 0, MAX_OLD_LOGPROBS)
    stream, include_usage = sampling.parse_stream(fields)
    return CompletionRequest(
        model=ModelId(model),
        prompts=prompts,
        sampling=sampling.parse_sampling(fields, seed=seed, logprobs=logprobs, grammar=None),
        max_tokens=fields.integer("max_tokens", 1, sampling.MAX_ANSWER_TOKENS) or DEFAULT_MAX_TOKENS,
        n=n,
        echo=_echo(fields, prompts, logprobs),
        stream=stream,
        include_usage=include_usage,
    )


def _echo(fields: Fields, prompts: tuple[Prompt, ...], logprobs: int | None) -> bool:
    echo = fields.boolean("echo", False)
    if echo and logprobs is not None:
        fields.refuse("echo", "it cannot be combined with 'logprobs' here.", "unsupported_value")
    if echo and not all(isinstance(prompt, str) for prompt in prompts):
        fields.refuse("echo", "only text prompts can be echoed here.", "unsupported_value")
    return echo


def parse_prompts(fields: Fields, key: str, most: int) -> tuple[Prompt, ...]:
    """A string, an array of strings, of token ids, or of arrays of token ids: one or more prompts, none empty."""
    fields.required(key)
    value = fields.value[key]
    if isinstance(value, str):
        return (_text(fields, key, value),)
    if not isinstance(value, list):
        fields.refuse(key, "expected a string, or an array of strings or token ids.", "invalid_type")
    if not value:
        fields.refuse(key, "must not be empty.")
    if type(value[0]) is int:
        return (token_ids(fields, key, value),)
    if len(value) > most:
        fields.refuse(key, f"at most {most} prompts.")
    return tuple(_prompt(fields, f"{key}[{i}]", item, type(value[0])) for i, item in enumerate(value))


def _prompt(fields: Fields, key: str, value: Any, kind: type) -> Prompt:
    if type(value) is not kind or not isinstance(value, str | list):
        fields.refuse(key, "expected only strings, or only arrays of token ids.", "invalid_type")
    if isinstance(value, str):
        return _text(fields, key, value)
    if not value:
        fields.refuse(key, "must not be empty.")
    return token_ids(fields, key, value)


def _text(fields: Fields, key: str, value: str) -> str:
    if not value:
        fields.refuse(key, "must not be empty.")
    return value
