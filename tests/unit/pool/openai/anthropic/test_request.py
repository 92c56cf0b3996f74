"""Anthropic's requests: each parameter is honoured, or refused by its name."""

import json
from typing import Any

import pytest

from pool.errors import InvalidRequest
from pool.openai.anthropic.request import parse_count, parse_message
from pool.openai.types import ChatRequest

TOOL = {"name": "f", "input_schema": {"type": "object"}}


def parse(**more: Any) -> ChatRequest:
    body = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}], **more}
    return parse_message(json.dumps(body).encode(), seed=7)


def test_the_least_that_may_be_asked() -> None:
    asked = parse()
    assert (asked.model, json.loads(asked.messages)) == ("m", [{"role": "user", "content": "Hi"}])
    assert (asked.max_tokens, asked.n, asked.stream, asked.tools) == (5, 1, False, ())
    assert (asked.sampling.temperature, asked.sampling.seed) == (1.0, 7)


def test_what_is_honoured() -> None:
    asked = parse(temperature=0.5, top_p=0.9, top_k=4, stop_sequences=["a", "b", "c", "d", "e"], stream=True)
    assert (asked.sampling.temperature, asked.sampling.top_p, asked.sampling.top_k) == (0.5, 0.9, 4)
    assert (asked.sampling.stop, asked.stream) == (("a", "b", "c", "d", "e"), True)


def test_what_changes_nothing_here() -> None:
    parse(
        metadata={"user_id": "u"},
        service_tier="standard_only",
        thinking={"type": "disabled"},
        cache_control={"type": "ephemeral"},
        container=None,
    )


def test_tools() -> None:
    more = {"type": "custom", "strict": True, "cache_control": {"type": "ephemeral"}, "eager_input_streaming": True}
    asked = parse(tools=[TOOL, TOOL | more | {"name": "g", "description": "G."}])
    assert [(tool.name, tool.strict, tool.param) for tool in asked.tools] == [
        ("f", False, "tools[0].input_schema"),
        ("g", True, "tools[1].input_schema"),
    ]
    shown = {"name": "g", "description": "G.", "parameters": {"type": "object"}}
    assert json.loads(asked.tools_json)[1] == {"type": "function", "function": shown}
    assert asked.parallel_tool_calls


@pytest.mark.parametrize(
    ("choice", "offered", "forced"),
    [
        ({"type": "auto"}, True, False),
        ({"type": "none"}, False, False),
        ({"type": "any"}, True, True),
        ({"type": "tool", "name": "f"}, True, True),
    ],
)
def test_the_choice_among_tools(choice: dict[str, str], offered: bool, forced: bool) -> None:
    asked = parse(tools=[TOOL], tool_choice=choice)
    assert (bool(asked.tools), asked.must_call, asked.sampling.grammar is not None) == (offered, forced, forced)


def test_an_output_format_is_a_grammar() -> None:
    schema = {"type": "object", "properties": {"a": {"const": 1}}}
    config = {"format": {"type": "json_schema", "schema": schema}}
    grammar = parse(output_config=config).sampling.grammar
    assert grammar is not None and json.loads(grammar.text) == schema
    assert '"#/$defs/content"' in str(parse(output_config=config, tools=[TOOL]).sampling.grammar)
    assert parse(output_config={}).sampling.grammar is parse(output_config=None).sampling.grammar is None


def test_a_prompt_to_be_counted_is_a_chat_without_an_answer() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "system": "Be brief.", "tools": [TOOL]}
    asked = parse_count(json.dumps(body).encode())
    assert (asked.max_tokens, asked.stream, len(asked.tools), len(json.loads(asked.messages))) == (0, False, 1, 2)
    with pytest.raises(InvalidRequest) as caught:
        parse_count(json.dumps(body | {"max_tokens": 5}).encode())
    assert caught.value.param == "max_tokens"


def test_one_tool_at_a_time() -> None:
    assert not parse(tools=[TOOL], tool_choice={"type": "auto", "disable_parallel_tool_use": True}).parallel_tool_calls


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"colour": "red"}, "colour"),
        ({"seed": 1}, "seed"),
        ({"mcp_servers": []}, "mcp_servers"),
        ({"output_config": {"effort": "low"}}, "output_config.effort"),
        ({"output_config": {"format": {"type": "xml", "schema": {}}}}, "output_config.format.type"),
        ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema"),
        ({"output_format": {}}, "output_format"),
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"model": None}, "model"),
        ({"messages": []}, "messages"),
        ({"temperature": 1.5}, "temperature"),
        ({"top_k": -1}, "top_k"),
        ({"stop_sequences": ["x"] * 17}, "stop_sequences"),
        ({"stop_sequences": [""]}, "stop_sequences[0]"),
        ({"metadata": {"colour": "red"}}, "metadata.colour"),
        ({"service_tier": "priority"}, "service_tier"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "thinking.type"),
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, "tools[0].type"),
        ({"tools": [{"name": "f"}]}, "tools[0].input_schema"),
        ({"tools": [TOOL, TOOL]}, "tools[1].name"),
        ({"tools": [TOOL | {"defer_loading": True}]}, "tools[0].defer_loading"),
        ({"tool_choice": {"type": "odd"}}, "tool_choice.type"),
        ({"tool_choice": {"type": "any"}}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "any", "name": "f"}}, "tool_choice.name"),
        ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "g"}}, "tool_choice.name"),
    ],
)
def test_what_is_refused_is_named(more: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse(**more)
    assert caught.value.param == param
    assert param in caught.value.message
