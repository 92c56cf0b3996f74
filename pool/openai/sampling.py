"""The parameters that say how tokens are drawn, shared by chat and completions."""

from typing import Any

from iamine.wire.messages import Grammar, Sampling
from pool.openai.fields import INT64_MAX, INT64_MIN, MAX_TOKEN_ID, Fields

MAX_STOPS = 4  # OpenAI's limit
MAX_STOP_CHARACTERS = 256
MAX_BIASES = 1024
MAX_GRAMMAR_CHARACTERS = 65_536
MAX_TOP_LOGPROBS = 20  # OpenAI's limit
MAX_CHOICES = 8
LEAST_REPEAT_PENALTY = 0.01  # smaller ones leave float32
MAX_ANSWER_TOKENS = 2**31 - 1  # the model's context limits it further

KNOWN = frozenset(
    {
        "temperature",
        "top_p",
        "top_k",
        "min_p",
        "presence_penalty",
        "frequency_penalty",
        "repeat_penalty",
        "repetition_penalty",
        "seed",
        "logit_bias",
        "ignore_eos",
        "stop",
        "grammar",
    }
)


def parse_sampling(fields: Fields, *, seed: int, logprobs: int | None, grammar: Grammar | None) -> Sampling:
    """How to draw; `seed` counts when the request has none; `max_tokens` stays 0 until the model is known."""
    if fields.value.keys().isdisjoint(KNOWN):
        return Sampling(seed=positive_seed(seed), max_tokens=0, logprobs=logprobs, grammar=grammar)
    asked = fields.integer("seed", INT64_MIN, INT64_MAX)
    text = fields.string("grammar", max_length=MAX_GRAMMAR_CHARACTERS)
    if text and grammar:
        fields.refuse("grammar", "it cannot be combined with 'response_format'.")
    return Sampling(
        temperature=fields.number("temperature", 0, 2, 1.0),
        top_p=fields.number("top_p", 0, 1, 1.0),
        top_k=max(0, fields.integer("top_k", -1, MAX_TOKEN_ID) or 0),  # -1 is vLLM's "off"
        min_p=fields.number("min_p", 0, 1, 0.0),
        presence_penalty=fields.number("presence_penalty", -2, 2, 0.0),
        frequency_penalty=fields.number("frequency_penalty", -2, 2, 0.0),
        repeat_penalty=_repeat_penalty(fields),
        seed=positive_seed(seed if asked is None else asked),
        logit_bias=_logit_bias(fields),
        max_tokens=0,
        ignore_eos=fields.boolean("ignore_eos", False),
        stop=parse_stops(fields, "stop"),
        logprobs=logprobs,
        grammar=Grammar(kind="gbnf", text=text) if text else grammar,
    )


def positive_seed(seed: int) -> int:
    """Any int64 as one of 63 bits: what generators take; different seeds from 0 stay different."""
    return seed & INT64_MAX


def nth_sampling(sampling: Sampling, index: int, max_tokens: int) -> Sampling:
    """Choice `index` draws with the seed `index` further on, so n choices differ and choice 0 is the seed's own."""
    return sampling.but(seed=positive_seed(sampling.seed + index), max_tokens=max_tokens)


def parse_choices(fields: Fields) -> int:
    """`n`, how many choices to produce."""
    return fields.integer("n", 1, MAX_CHOICES) or 1


def parse_stream(fields: Fields) -> tuple[bool, bool]:
    """(stream, include_usage)."""
    stream = fields.boolean("stream", False)
    options = fields.inner("stream_options")
    if options is None:
        return stream, False
    if not stream:
        fields.refuse("stream_options", "only allowed when 'stream' is true.")
    options.only({"include_usage", "include_obfuscation"}, {})
    if options.boolean("include_obfuscation", False):
        options.refuse("include_obfuscation", "only false is supported here.", "unsupported_value")
    return stream, options.boolean("include_usage", False)


def _repeat_penalty(fields: Fields) -> float:
    if fields.has("repeat_penalty") and fields.has("repetition_penalty"):
        fields.refuse("repetition_penalty", "it is another name of 'repeat_penalty': send one of them.")
    key = "repetition_penalty" if fields.has("repetition_penalty") else "repeat_penalty"
    return fields.number(key, LEAST_REPEAT_PENALTY, 10, 1.0)


def _logit_bias(fields: Fields) -> dict[int, float]:
    biases = fields.inner("logit_bias")
    if biases is None:
        return {}
    if len(biases.value) > MAX_BIASES:
        fields.refuse("logit_bias", f"at most {MAX_BIASES} entries.")
    return {_bias_token(biases, key): _bias(biases, key) for key in biases.value}


def _bias_token(biases: Fields, key: str) -> int:
    if not (key.isascii() and key.isdigit() and len(key) <= 10 and int(key) <= MAX_TOKEN_ID):
        biases.refuse(key, "the key must be a token id.")
    return int(key)


def _bias(biases: Fields, key: str) -> float:
    biases.required(key)
    return biases.number(key, -100, 100, 0.0)


def parse_stops(fields: Fields, key: str, most: int = MAX_STOPS) -> tuple[str, ...]:
    """One stop string, or an array of at most `most`."""
    value: Any = fields.value.get(key)
    if value is None:
        return ()
    stops = [value] if isinstance(value, str) else value
    if not isinstance(stops, list):
        fields.refuse(key, "expected a string or an array of strings.", "invalid_type")
    if len(stops) > most:
        fields.refuse(key, f"at most {most} strings.")
    for index, stop in enumerate(stops):
        if not isinstance(stop, str):
            fields.refuse(f"{key}[{index}]", "expected a string.", "invalid_type")
        if not 0 < len(stop) <= MAX_STOP_CHARACTERS:
            fields.refuse(f"{key}[{index}]", f"must have 1 to {MAX_STOP_CHARACTERS} characters.")
    return tuple(dict.fromkeys(stops))
