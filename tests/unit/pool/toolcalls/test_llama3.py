"""A message that is a call, as Llama 3 writes it."""

import pytest
from fakes.reading import call, check_cuts, parse, texts
from hypothesis import given
from hypothesis import strategies as st

from pool.openai.types import ToolCall
from pool.toolcalls.llama3 import TAG
from pool.toolcalls.types import Part

ADD = '{"name": "add", "parameters": {"a": 1}}'


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (ADD, [call()]),
        ("\n" + ADD + "\n", [call()]),
        (TAG + ADD, [call()]),
        (ADD + '; {"name": "look", "parameters": {}}', [call(), call("look", "{}", 1)]),
        (TAG + ADD + "\n" + ADD, [call(), call(index=1)]),
        ('{"type": "function", "name": "add", "parameters": {"a": 1}}', [call()]),
        ('{"type": "function", "function": "add", "parameters": {"a": 1}}', [call()]),
        ('{"name": "add", "arguments": {"t": "né", "u": {"v": [1]}}}', [call(arguments='{"t": "né", "u": {"v": [1]}}')]),
        ('{"name": "other", "parameters": {}}', ['{"name": "other", "parameters": {}}']),
        ('{"answer": 42}', ['{"answer": 42}']),
        ('{"function": "add"}', ['{"function": "add"}']),
        (ADD + " is my call", [ADD + " is my call"]),
        ("I call " + ADD, ["I call " + ADD]),
        (TAG + "print(1)", [TAG + "print(1)"]),
        ("<|py", ["<|py"]),
        ("{", ["{"]),
        ("", []),
        (" ", [" "]),
    ],
)
def test_calls_and_content_are_told_apart(text: str, parts: list[Part]) -> None:
    assert parse([text], tool="llama3") == parse(list(text), tool="llama3") == parts


@given(texts(TAG, ADD, ";", '{"name": "look"}'), st.data())
def test_every_way_of_cutting_gives_the_same_parts(text: str, data: st.DataObject) -> None:
    check_cuts(text, data, lambda deltas: parse(deltas, tool="llama3"))
    parts = parse([text], tool="llama3")
    if not any(isinstance(part, ToolCall) for part in parts):
        assert "".join(part for part in parts if isinstance(part, str)) == text


def test_content_that_cannot_become_a_call_is_told_at_once() -> None:
    assert parse(["", "Yes", ", ", ""], tool="llama3") == ["Yes, "]
