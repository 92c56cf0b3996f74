"""What is offered to a small model, and what its call asks."""

import json

import pytest

from pool.toolcalls import think_tool


def test_it_stands_behind_the_clients_tools() -> None:
    tools = json.loads(think_tool.offered(b'[{"type":"function","function":{"name":"look"}}]'))
    assert [tool["function"]["name"] for tool in tools] == ["look", "think"]
    assert list(tools[1]["function"]["parameters"]["properties"]) == ["question"]


@pytest.mark.parametrize(
    ("arguments", "question"),
    [
        ('{"question": " Why? "}', "Why?"),
        ('{"query": "Why?"}', "Why?"),
        ('{"question": 7, "query": "Why?"}', "Why?"),
        ('{"question": 7}', '{"question": 7}'),
        ("{}", "{}"),
    ],
)
def test_what_is_asked(arguments: str, question: str) -> None:
    assert think_tool.question_of(arguments) == question


def test_the_call_and_its_result_go_behind_the_messages() -> None:
    turns = think_tool.turns("", '{"question": "é?"}', "é.", 1)
    told = json.loads(think_tool.extended(b'[{"role":"user","content":"Hi"}]', turns))
    assert [turn["role"] for turn in told] == ["user", "assistant", "tool"]
    assert told[1]["content"] is None
    assert told[1]["tool_calls"][0]["id"] == told[2]["tool_call_id"]
    assert think_tool.turns("Well.", "{}", "x", 2)[0]["content"] == "Well."
