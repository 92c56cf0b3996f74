"""The messages of a chat."""

import json
from typing import Any

import pytest

from pool.errors import InvalidRequest
from pool.openai.fields import Fields
from pool.openai.turns import parse_messages

CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}


def canonical(*messages: Any) -> Any:
    return json.loads(parse_messages(Fields({"messages": list(messages)})))


def test_every_role_is_read() -> None:
    told = canonical(
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}], "name": "ann"},
        {"role": "assistant", "content": None, "tool_calls": [CALL | {"index": 0}], "function_call": None, "annotations": []},
        {"role": "tool", "content": "3", "tool_call_id": "c1"},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        {"role": "assistant", "refusal": "No."},
        {"role": "assistant", "content": "Yes.", "reasoning_content": "Hm."},
        {"role": "assistant", "content": "Yes.", "reasoning_content": None},
        {"role": "system", "content": ""},
    )
    assert told == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "name": "ann", "content": "one\ntwo"},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "content": "3", "tool_call_id": "c1"},
        {"role": "assistant", "content": "No."},
        {"role": "assistant", "content": "No."},
        {"role": "assistant", "content": "Yes.", "reasoning_content": "Hm."},
        {"role": "assistant", "content": "Yes."},
        {"role": "system", "content": ""},
    ]


def test_a_call_may_lack_its_type_and_arguments() -> None:
    called = {"id": "c", "function": {"name": "f"}}
    (told,) = canonical({"role": "assistant", "tool_calls": [called]})
    assert told["tool_calls"] == [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]


USER = {"role": "user", "content": "x"}


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ("hi", "messages[1]"),
        ({}, "messages[1].role"),
        ({"role": "robot", "content": "x"}, "messages[1].role"),
        ({"role": "function", "content": "x", "name": "f"}, "messages[1].role"),
        ({"role": "user"}, "messages[1].content"),
        ({"role": "user", "content": None}, "messages[1].content"),
        ({"role": "user", "content": 3}, "messages[1].content"),
        ({"role": "user", "content": []}, "messages[1].content"),
        ({"role": "user", "content": ["x"]}, "messages[1].content[0]"),
        ({"role": "user", "content": [{"type": "text"}]}, "messages[1].content[0].text"),
        ({"role": "user", "content": [{"type": "text", "text": 1}]}, "messages[1].content[0].text"),
        ({"role": "user", "content": [{"type": "text", "text": "x", "y": 1}]}, "messages[1].content[0].y"),
        ({"role": "user", "content": [{"text": "x"}]}, "messages[1].content[0].type"),
        ({"role": "user", "content": [USER, {}]}, "messages[1].content[0].type"),
        ({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}, "messages[1].content[0]"),
        ({"role": "user", "content": [{"type": "refusal", "refusal": "x"}]}, "messages[1].content[0]"),
        ({"role": "user", "content": "x", "foo": 1}, "messages[1].foo"),
        ({"role": "user", "content": "x", "tool_calls": []}, "messages[1].tool_calls"),
        ({"role": "user", "content": "x", "name": 1}, "messages[1].name"),
        ({"role": "assistant"}, "messages[1].content"),
        ({"role": "assistant", "content": "x", "audio": {"id": "a"}}, "messages[1].audio"),
        ({"role": "assistant", "content": "x", "function_call": {}}, "messages[1].function_call"),
        ({"role": "assistant", "content": "x", "reasoning_content": 3}, "messages[1].reasoning_content"),
        ({"role": "user", "content": "x", "reasoning_content": "y"}, "messages[1].reasoning_content"),
        ({"role": "assistant", "tool_calls": [{}]}, "messages[1].tool_calls[0].function"),
        ({"role": "assistant", "tool_calls": [CALL | {"type": "custom"}]}, "messages[1].tool_calls[0].type"),
        ({"role": "assistant", "tool_calls": [CALL | {"id": ""}]}, "messages[1].tool_calls[0].id"),
        (
            {"role": "assistant", "tool_calls": [CALL | {"function": {"name": "f", "arguments": {}}}]},
            "messages[1].tool_calls[0].function.arguments",
        ),
        ({"role": "tool", "content": "x"}, "messages[1].tool_call_id"),
    ],
)
def test_what_is_wrong_is_named(message: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        canonical(USER, message)
    assert caught.value.param == param


def test_too_many_messages_are_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        canonical(*[USER] * 4097)
    assert caught.value.param == "messages"
