"""Hermes calls: `<tool_call>` and JSON, however the text is cut."""

import pytest
from fakes.reading import call, check_cuts, parse, texts
from hypothesis import given
from hypothesis import strategies as st

from pool.openai.types import ToolCall
from pool.toolcalls.hermes import CLOSE, OPEN
from pool.toolcalls.types import Part

ADD = OPEN + '\n{"name": "add", "arguments": {"a": 1}}\n' + CLOSE


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("plain < text <tool", ["plain < text <tool"]),
        (" \n", [" \n"]),
        (ADD, [call()]),
        ("\n\n" + ADD + "\n", [call()]),
        ("Let me see.\n" + ADD, ["Let me see.\n", call()]),
        (ADD + "\n" + ADD + "\n\nThat was it. ", [call(), call(index=1), "\n\nThat was it. "]),
        (ADD.removesuffix(CLOSE), [call()]),
        (" " + ADD.removesuffix(CLOSE), [call()]),
        (OPEN + '{"name": "look"}' + CLOSE, [call("look", "{}")]),
        (OPEN + '{"name": "add", "arguments": "{\\"a\\": 1}"}' + CLOSE, [call()]),
        (OPEN + '{"name": "add", "arguments": {"t": "né ☃"}}' + CLOSE, [call(arguments='{"t": "né ☃"}')]),
        (
            OPEN + '{"name": "add", "arguments": {"t": "</tool_call> \\"<"}}' + CLOSE,
            [call(arguments='{"t": "</tool_call> \\"<"}')],
        ),
        ("x" + OPEN + "{", ["x" + OPEN + "{"]),
        (ADD + OPEN, [call(), OPEN]),
        (" " + OPEN + "nonsense" + CLOSE + " so", [" " + OPEN + "nonsense" + CLOSE + " so"]),
        (OPEN + "nonsense" + CLOSE + ADD, [OPEN + "nonsense" + CLOSE, call()]),
        (OPEN + '{"name": "an open string' + CLOSE, [OPEN + '{"name": "an open string' + CLOSE]),
    ],
)
def test_calls_and_content_are_told_apart(text: str, parts: list[Part]) -> None:
    assert parse([text], tool="hermes") == parse(list(text), tool="hermes") == parts


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "3",
        "{}",
        '{"name": 3}',
        '{"name": ["add"]}',
        '{"name": "other", "arguments": {}}',
        '{"name": "add", "arguments": [1]}',
        '{"name": "add", "arguments": "no"}',
        '{"name": "add", "arguments": {"a": NaN}}',
        '{"name": "add", "arguments": {"a": 1e999}}',
        '{"name": "add", "arguments": {"a": "\\ud800"}}',
        '{"name": "add", "arguments": ' + "[" * 100_000,
        '{"name": "add", "arguments": {"a": 1}} and more',
    ],
)
def test_what_is_no_call_is_given_back_as_content(body: str) -> None:
    text = OPEN + body + CLOSE
    assert parse([text], tool="hermes") == [text]


_texts = texts(OPEN, CLOSE, ADD, '{"name": "add"', '{"name": "look"}')


@given(_texts, st.data())
def test_every_way_of_cutting_gives_the_same_parts(text: str, data: st.DataObject) -> None:
    check_cuts(text, data, lambda deltas: parse(deltas, tool="hermes"))


@given(_texts)
def test_nothing_is_lost_but_calls_and_white_space_around_them(text: str) -> None:
    parts = parse([text], tool="hermes")
    contents = [part for part in parts if isinstance(part, str)]
    assert all(content in text for content in contents)
    if not any(isinstance(part, ToolCall) for part in parts):
        assert "".join(contents) == text
