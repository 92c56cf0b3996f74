"""Requests for a response: each parameter is honoured, repeated, or refused by its name."""

import json
from typing import Any

import pytest

from pool.errors import InvalidRequest
from pool.openai.responses.request import ResponsesRequest, parse_responses

TOOL = {"type": "function", "name": "f", "parameters": {"type": "object"}}
FORMAT = {"type": "json_schema", "name": "thing", "schema": {"type": "object"}}


def parse(**more: Any) -> ResponsesRequest:
    return parse_responses(json.dumps({"model": "m", "input": "Hi", **more}).encode(), seed=7)


def test_the_least_that_may_be_asked() -> None:
    asked = parse()
    chat = asked.chat
    assert (chat.model, json.loads(chat.messages)) == ("m", [{"role": "user", "content": "Hi"}])
    assert (chat.n, chat.stream, chat.max_tokens, chat.tools, chat.sampling.seed) == (1, False, None, (), 7)
    assert asked.repeated == {
        "instructions": None,
        "max_output_tokens": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "prompt_cache_key": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "user": None,
    }


def test_what_is_honoured() -> None:
    asked = parse(
        max_output_tokens=5, temperature=0, top_p=0.5, stream=True, parallel_tool_calls=False, metadata={"a": "b"}, user="u"
    )
    chat = asked.chat
    assert (chat.max_tokens, chat.stream, chat.parallel_tool_calls) == (5, True, False)
    assert (chat.sampling.temperature, chat.sampling.top_p) == (0, 0.5)
    assert asked.repeated["metadata"] == {"a": "b"}


def test_what_says_what_happens_here_anyway() -> None:
    parse(
        store=True,
        background=False,
        truncation="disabled",
        service_tier="auto",
        top_logprobs=0,
        include=["reasoning.encrypted_content"],
        reasoning={"effort": "none"},
        stream=True,
        stream_options={"include_obfuscation": False},
        previous_response_id=None,
    )
    parse(store=False, reasoning={}, include=[])


def test_tools_are_flat_and_strict_unless_they_say_otherwise() -> None:
    asked = parse(tools=[TOOL, TOOL | {"name": "g", "strict": False, "description": "G."}])
    assert [(tool.name, tool.strict, tool.param) for tool in asked.chat.tools] == [
        ("f", True, "tools[0].parameters"),
        ("g", False, "tools[1].parameters"),
    ]
    assert json.loads(asked.chat.tools_json)[0] == {
        "type": "function",
        "function": {"name": "f", "parameters": {"type": "object"}},
    }
    assert asked.repeated["tools"][0] == TOOL | {"description": None, "strict": True}
    assert asked.repeated["tools"][1]["description"] == "G."


@pytest.mark.parametrize(
    ("choice", "offered", "forced"),
    [
        (None, True, False),
        ("auto", True, False),
        ("none", False, False),
        ("required", True, True),
        ({"type": "function", "name": "f"}, True, True),
    ],
)
def test_the_choice_among_tools(choice: Any, offered: bool, forced: bool) -> None:
    chat = parse(tools=[TOOL], tool_choice=choice).chat
    assert (bool(chat.tools), chat.must_call, chat.sampling.grammar is not None) == (offered, forced, forced)


def test_a_choice_without_tools_is_fine_where_it_asks_for_none() -> None:
    for choice in ("auto", "none"):
        assert parse(tool_choice=choice, tools=[]).chat.tools == ()


def test_the_format_of_the_text() -> None:
    assert parse(text={}).chat.sampling.grammar is None
    assert parse(text={"format": {"type": "text"}}).chat.sampling.grammar is None
    told = parse(text={"format": {"type": "json_object"}}).chat.sampling.grammar
    assert told is not None and told.kind == "json_object"
    either = parse(text={"format": FORMAT}, tools=[TOOL]).chat
    assert either.tools and not either.must_call and '"#/$defs/content"' in str(either.sampling.grammar)
    held = parse(text={"format": FORMAT}, tools=[TOOL], tool_choice="none")
    assert held.chat.sampling.grammar is not None and held.chat.sampling.grammar.kind == "json_schema"
    assert held.repeated["text"] == {"format": FORMAT}


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"colour": "red"}, "colour"),
        ({"seed": 1}, "seed"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {}}, "prompt"),
        ({"store": "yes"}, "store"),
        ({"background": True}, "background"),
        ({"truncation": "auto"}, "truncation"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"include": ["message.output_text.logprobs"]}, "include[0]"),
        ({"reasoning": {"effort": "much"}}, "reasoning.effort"),
        ({"reasoning": {"summary": "auto"}}, "reasoning.summary"),
        ({"metadata": {"a": 1}}, "metadata.a"),
        ({"model": ""}, "model"),
        ({"input": None}, "input"),
        ({"temperature": 3}, "temperature"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"stream_options": {}}, "stream_options"),
        ({"stream": True, "stream_options": {"include_usage": True}}, "stream_options.include_usage"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tools": [TOOL | {"function": {}}]}, "tools[0].function"),
        ({"tools": [TOOL, TOOL]}, "tools[1].name"),
        ({"tool_choice": "odd"}, "tool_choice"),
        ({"tool_choice": 3}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": {"type": "function", "name": "f"}}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "web_search"}}, "tool_choice.type"),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "name": "g"}}, "tool_choice.name"),
        ({"text": {"verbosity": "low"}}, "text.verbosity"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"text": {"format": {"type": "text", "schema": {}}}}, "text.format.schema"),
        ({"text": {"format": {"type": "json_schema", "schema": {}}}}, "text.format.name"),
        ({"text": {"format": FORMAT | {"json_schema": {}}}}, "text.format.json_schema"),
    ],
)
def test_what_is_refused_is_named(more: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse(**more)
    assert caught.value.param == param
    assert param in caught.value.message
