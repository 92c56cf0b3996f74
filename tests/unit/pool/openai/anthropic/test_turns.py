"""Anthropic's messages become a chat's."""

import json
from typing import Any

import pytest

from pool.errors import InvalidRequest
from pool.openai.anthropic.turns import parse_turns
from pool.openai.fields import Fields

USE = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1"}
CALL = {"id": "toolu_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}


def read(*messages: Any, **more: object) -> Any:
    return json.loads(parse_turns(Fields({"messages": list(messages), **more})))


def user(*content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content[0] if isinstance(content[0], str) else list(content)}


def assistant(*content: Any) -> dict[str, Any]:
    return user(*content) | {"role": "assistant"}


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said, "cache_control": {"type": "ephemeral"}, "citations": None}


def test_strings_and_blocks() -> None:
    assert read(user("Hi")) == [{"role": "user", "content": "Hi"}]
    assert read(user(text("a"), text("b")), system="S") == [
        {"role": "system", "content": "S"},
        {"role": "user", "content": "a\nb"},
    ]
    assert read(user("Hi"), system=[text("a"), text("b")])[0] == {"role": "system", "content": "a\nb"}


def test_neighbouring_turns_of_a_role_are_one() -> None:
    assert read(user("a"), user("b"), assistant("c"), assistant("d"), user("e")) == [
        {"role": "user", "content": "a\nb"},
        {"role": "assistant", "content": "c\nd"},
        {"role": "user", "content": "e"},
    ]


def test_tool_uses_and_their_results() -> None:
    direct = USE | {"caller": {"type": "direct"}, "toolset_name": None}
    told = read(
        user("?"),
        assistant(text("Well."), USE, direct),
        user(RESULT | {"content": "2"}, RESULT | {"content": [text("3")], "is_error": True}, RESULT, text("Go on.")),
        assistant(USE, text("Then.")),
        user(RESULT),
    )
    assert told[1:] == [
        {"role": "assistant", "content": "Well.", "tool_calls": [CALL, CALL]},
        {"role": "tool", "content": "2", "tool_call_id": "toolu_1"},
        {"role": "tool", "content": "Error: 3", "tool_call_id": "toolu_1"},
        {"role": "tool", "content": "", "tool_call_id": "toolu_1"},
        {"role": "user", "content": "Go on."},
        {"role": "assistant", "content": "Then.", "tool_calls": [CALL]},
        {"role": "tool", "content": "", "tool_call_id": "toolu_1"},
    ]
    assert read(assistant(USE), user(RESULT))[0] == {"role": "assistant", "content": None, "tool_calls": [CALL]}


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        (None, "messages"),
        ([], "messages"),
        (["x"], "messages[0]"),
        ([{"content": "x"}], "messages[0].role"),
        ([{"role": "system", "content": "x"}], "messages[0].role"),
        ([{"role": "user"}], "messages[0].content"),
        ([{"role": "user", "content": 3}], "messages[0].content"),
        ([{"role": "user", "content": []}], "messages[0].content"),
        ([{"role": "user", "content": "x", "name": "y"}], "messages[0].name"),
        ([user({"type": "image", "source": {}})], "messages[0].content[0].type"),
        ([user(USE)], "messages[0].content[0].type"),
        ([assistant({"type": "thinking", "thinking": "x"})], "messages[0].content[0].type"),
        ([user(text("x") | {"citations": [{}]})], "messages[0].content[0].citations"),
        ([user(text("x") | {"cache_control": 3})], "messages[0].content[0].cache_control"),
        ([assistant({"type": "tool_use", "id": "x", "name": "f"})], "messages[0].content[0].input"),
        ([assistant(USE | {"caller": {"type": "program"}})], "messages[0].content[0].caller.type"),
        ([user({"type": "tool_result"})], "messages[0].content[0].tool_use_id"),
        ([user("x"), assistant("Well,")], "messages[1]"),
    ],
)
def test_what_cannot_be_read_is_named(messages: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_turns(Fields({"messages": messages}))
    assert caught.value.param == param
    assert param in caught.value.message
