"""POST /v1/chat/completions: each parameter is honoured, or refused by a 400 that names it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iamine.wire.messages import Grammar
from pool.errors import InvalidRequest
from pool.openai import chat
from pool.openai.accepted import REFUSED_CHAT
from pool.openai.chat import parse_chat
from pool.openai.types import ChatRequest

HELLO = [{"role": "user", "content": "Hello"}]


def parse(**fields: Any) -> ChatRequest:
    return parse_chat(json.dumps({"model": "mote", "messages": HELLO} | fields).encode(), seed=5)


def refused(**fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        parse(**fields)
    return caught.value


def test_a_bare_request_has_openais_defaults() -> None:
    asked = parse()
    assert (asked.model, asked.n, asked.stream, asked.include_usage, asked.max_tokens) == ("mote", 1, False, False, None)
    assert json.loads(asked.messages) == HELLO
    assert (asked.tools, asked.tools_json, asked.parallel_tool_calls) == ((), b"[]", True)
    drawn = asked.sampling
    assert (drawn.temperature, drawn.top_p, drawn.seed, drawn.logprobs, drawn.grammar, drawn.stop) == (
        1.0,
        1.0,
        5,
        None,
        None,
        (),
    )


def test_what_is_asked_is_honoured() -> None:
    asked = parse(
        stream=True,
        stream_options={"include_usage": True, "include_obfuscation": False},
        max_tokens=9,
        max_completion_tokens=9,
        n=3,
        temperature=0,
        top_p=0.5,
        top_k=40,
        min_p=0.1,
        presence_penalty=-2,
        frequency_penalty=2,
        repetition_penalty=1.1,
        seed=-1,
        logit_bias={"12": -100, "0": 1.5},
        ignore_eos=True,
        stop=["a", "b", "a"],
        logprobs=True,
        top_logprobs=20,
        parallel_tool_calls=False,
    )
    drawn = asked.sampling
    assert (asked.stream, asked.include_usage, asked.max_tokens, asked.n, asked.parallel_tool_calls) == (
        True,
        True,
        9,
        3,
        False,
    )
    assert (drawn.temperature, drawn.top_p, drawn.top_k, drawn.min_p) == (0.0, 0.5, 40, 0.1)
    assert (drawn.presence_penalty, drawn.frequency_penalty, drawn.repeat_penalty) == (-2.0, 2.0, 1.1)
    assert (drawn.seed, drawn.logit_bias, drawn.ignore_eos) == (2**63 - 1, {12: -100.0, 0: 1.5}, True)
    assert (drawn.stop, drawn.logprobs) == (("a", "b"), 20)


def test_a_top_k_of_minus_1_is_off() -> None:
    assert parse(top_k=-1) == parse(top_k=0) == parse()


def test_either_name_of_max_tokens_counts() -> None:
    assert parse(max_tokens=3).max_tokens == parse(max_completion_tokens=3).max_tokens == 3
    assert refused(max_tokens=3, max_completion_tokens=4).param == "max_tokens"


@pytest.mark.parametrize(
    ("param", "value"),
    [
        ("user", "me"),
        ("metadata", {"a": "b"}),
        ("safety_identifier", "x"),
        ("prompt_cache_key", "x"),
        ("prompt_cache_retention", "24h"),
        ("store", False),
        ("service_tier", "auto"),
        ("service_tier", "default"),
        ("modalities", ["text"]),
        ("audio", None),
        ("tools", []),
        ("logprobs", False),
        ("stop", None),
        ("response_format", {"type": "text"}),
    ],
)
def test_what_has_no_effect_here_changes_nothing(param: str, value: object) -> None:
    assert parse(**{param: value}) == parse()


@pytest.mark.parametrize(
    ("param", "value"),
    [
        ("foo", 1),
        ("model", ""),
        ("model", None),
        ("model", 3),
        ("messages", None),
        ("messages", []),
        ("messages", "hi"),
        ("user", 1),
        ("metadata", []),
        ("store", True),
        ("store", 0),
        ("service_tier", "flex"),
        ("reasoning_effort", "much"),
        ("modalities", ["text", "audio"]),
        ("audio", {"voice": "x"}),
        ("functions", []),
        ("function_call", "auto"),
        ("prediction", {}),
        ("verbosity", "low"),
        ("web_search_options", {}),
        ("stream", "yes"),
        ("stream_options", {}),
        ("max_tokens", 0),
        ("max_completion_tokens", "9"),
        ("n", 0),
        ("n", 9),
        ("temperature", 2.1),
        ("temperature", "hot"),
        ("top_p", -0.1),
        ("top_k", -2),
        ("min_p", 2),
        ("presence_penalty", 3),
        ("frequency_penalty", -3),
        ("repeat_penalty", 0),
        ("repetition_penalty", 0),
        ("repetition_penalty", 5e-324),
        ("seed", 2**63),
        ("seed", 1.5),
        ("logit_bias", []),
        ("logit_bias", {str(i): 1 for i in range(1025)}),
        ("ignore_eos", 1),
        ("stop", 5),
        ("stop", ["a"] * 5),
        ("logprobs", 3),
        ("top_logprobs", 3),
        ("parallel_tool_calls", "no"),
        ("tool_choice", "auto"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(param: str, value: object) -> None:
    error = refused(**{param: value})
    assert (error.status, error.param) == (400, param)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"stop": ["a", ""]}, "stop[1]"),
        ({"stop": ["a" * 257]}, "stop[0]"),
        ({"stop": [None]}, "stop[0]"),
        ({"logit_bias": {"x": 1}}, "logit_bias.x"),
        ({"logit_bias": {"99999999999": 1}}, "logit_bias.99999999999"),
        ({"logit_bias": {"1": 101}}, "logit_bias.1"),
        ({"logit_bias": {"1": None}}, "logit_bias.1"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"repeat_penalty": 1.1, "repetition_penalty": 1.1}, "repetition_penalty"),
        ({"stream": True, "stream_options": {"x": 1}}, "stream_options.x"),
        ({"stream": True, "stream_options": {"include_obfuscation": True}}, "stream_options.include_obfuscation"),
        ({"grammar": "root ::= [a-z]", "response_format": {"type": "json_object"}}, "grammar"),
    ],
)
def test_what_does_not_fit_together_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    assert refused(**fields).param == param


def test_a_grammar_of_the_client_goes_to_the_engine() -> None:
    assert parse(grammar="root ::= [a-z]+").sampling.grammar == Grammar(kind="gbnf", text="root ::= [a-z]+")
    assert parse(grammar="").sampling.grammar is None


def test_tools_and_a_grammar_of_the_client_exclude_each_other_unless_no_tool_may_be_called() -> None:
    tools, grammar = [{"type": "function", "function": {"name": "f"}}], "root ::= [a-z]"
    assert refused(tools=tools, grammar=grammar).param == "grammar"
    assert parse(tools=tools, tool_choice="none", grammar=grammar).sampling.grammar is not None


def test_tools_beside_a_format_are_one_grammar_of_either() -> None:
    tools, form = [{"type": "function", "function": {"name": "f"}}], {"type": "json_object"}
    either = parse(tools=tools, response_format=form)
    assert not either.must_call and either.sampling.grammar is not None
    assert '"#/$defs/content"' in either.sampling.grammar.text
    assert parse(tools=tools, tool_choice="none", response_format=form).sampling.grammar == Grammar(kind="json_object")
    forced = parse(tools=tools, tool_choice="required", response_format=form)
    assert forced.must_call and "content" not in str(forced.sampling.grammar)


_numbers = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
_scalars = st.none() | st.booleans() | _numbers | st.text(max_size=5)
_words = st.sampled_from(["type", "role", "content", "text", "function", "name", "user", "json_schema", "schema", "id"])
_anything = st.recursive(
    _scalars | _words, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_words, inner, max_size=4), max_leaves=8
)
_PARAMETERS = sorted(chat._KNOWN | REFUSED_CHAT.keys() | {"foo"})


@given(st.dictionaries(st.sampled_from(_PARAMETERS), _anything, max_size=5))
def test_anything_is_read_or_refused_by_a_path_that_begins_with_a_parameter(fields: dict[str, Any]) -> None:
    try:
        parse(**fields)
    except InvalidRequest as error:
        assert error.param is not None
        assert error.param.split(".")[0].split("[")[0] in _PARAMETERS


@pytest.mark.parametrize("body", [b"", b"nope", b"[1]", b'{"model": "m", "temperature": NaN}'])
def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        parse_chat(body, seed=0)


@pytest.mark.parametrize("effort", ["none", "minimal", "low", "medium", "high", "xhigh"])
def test_how_much_to_reason_is_passed_on(effort: str) -> None:
    assert parse(reasoning_effort=effort).effort == effort
