"""The input of a response becomes a chat's messages."""

import json
from typing import Any

import pytest

from pool.errors import InvalidRequest
from pool.openai.fields import Fields
from pool.openai.responses.items import parse_input


def read(given: object, **more: object) -> Any:
    return json.loads(parse_input(Fields({"input": given, **more})))


def test_a_string_is_what_the_user_says_and_instructions_come_first() -> None:
    assert read("Hi") == [{"role": "user", "content": "Hi"}]
    assert read("Hi", instructions="Be brief.")[0] == {"role": "system", "content": "Be brief."}


def test_messages_of_every_role() -> None:
    told = read(
        [
            {"role": "developer", "content": "a"},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "b"}], "status": "completed"},
            {
                "type": "message",
                "id": "msg_1",
                "role": "assistant",
                "phase": "final_answer",
                "content": [{"type": "output_text", "text": "c", "annotations": [], "logprobs": []}],
            },
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "d"}]},
        ]
    )
    assert told == [
        {"role": "system", "content": "a"},
        {"role": "user", "content": "b"},
        {"role": "assistant", "content": "c"},
        {"role": "assistant", "content": "d"},
    ]


def test_calls_join_the_assistants_turn_and_outputs_answer_them() -> None:
    call = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": '{"a": 1}', "id": "fc_1", "namespace": None}
    told = read(
        [
            {"role": "user", "content": "?"},
            call,
            call | {"call_id": "call_2", "arguments": ""},
            {"type": "function_call_output", "call_id": "call_1", "output": "2"},
            {"type": "function_call_output", "call_id": "call_2", "output": [{"type": "input_text", "text": "3"}]},
            {"role": "assistant", "content": "Well."},
            call,
        ]
    )
    one = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    two = {"id": "call_2", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    assert told[1:] == [
        {"role": "assistant", "content": None, "tool_calls": [one, two]},
        {"role": "tool", "content": "2", "tool_call_id": "call_1"},
        {"role": "tool", "content": "3", "tool_call_id": "call_2"},
        {"role": "assistant", "content": "Well.", "tool_calls": [one]},
    ]
    (alone,) = read([call])
    assert alone["tool_calls"] == [one]


@pytest.mark.parametrize(
    ("given", "param"),
    [
        (None, "input"),
        (3, "input"),
        ([], "input"),
        (["x"], "input[0]"),
        ([{"content": "x"}], "input[0].role"),
        ([{"role": "tool", "content": "x"}], "input[0].role"),
        ([{"role": "user"}], "input[0].content"),
        ([{"role": "user", "content": "x", "name": "y"}], "input[0].name"),
        ([{"role": "user", "content": "x", "status": "odd"}], "input[0].status"),
        ([{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}], "input[0].content[0].type"),
        ([{"type": "item_reference", "id": "x"}], "input[0].type"),
        ([{"type": "reasoning", "summary": []}], "input[0].type"),
        ([{"type": "web_search_call"}], "input[0].type"),
        ([{"type": "function_call", "name": "f", "arguments": "{}"}], "input[0].call_id"),
        ([{"type": "function_call_output", "output": "x"}], "input[0].call_id"),
        ([{"type": "function_call_output", "call_id": "x"}], "input[0].output"),
    ],
)
def test_what_cannot_be_read_is_named(given: object, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(given)
    assert caught.value.param == param
