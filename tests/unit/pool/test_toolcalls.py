"""Tool calls in raw text, however it is cut."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iamine.ids import JobId
from pool.openai.types import ToolCall
from pool.toolcalls import CLOSE, OPEN, Part, State, call_id, feed, finish, only_call

JOB = JobId("job_1")


def accepts(name: str, arguments: str) -> bool:
    assert isinstance(json.loads(arguments), dict)
    return name in ("add", "look")


def parse(deltas: Sequence[str]) -> list[Part]:
    state, told = State(job=JOB), list[Part]()
    for delta in deltas:
        state, parts = feed(state, delta, accepts)
        told += parts
    state, parts = finish(state, accepts)
    joined: list[Part] = []
    for part in [*told, *parts]:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        else:
            joined.append(part)
    return joined


def call(name: str = "add", arguments: str = '{"a": 1}', index: int = 0) -> ToolCall:
    return ToolCall(index=index, id=call_id(JOB, index), name=name, arguments=arguments)


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
        (
            OPEN + '{"name": "add", "arguments": {"t": "</tool_call> \\"<"}}' + CLOSE,
            [call(arguments='{"t": "</tool_call> \\"<"}')],
        ),
        ("x" + OPEN + "{", ["x" + OPEN + "{"]),
        (ADD + OPEN, [call(), OPEN]),
        (" " + OPEN + "nonsense" + CLOSE + " so", [" " + OPEN + "nonsense" + CLOSE + " so"]),
        (OPEN + "nonsense" + CLOSE + ADD, [OPEN + "nonsense" + CLOSE, call()]),
    ],
)
def test_calls_and_content_are_told_apart(text: str, parts: list[Part]) -> None:
    assert parse([text]) == parse(list(text)) == parts


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
    assert parse([text]) == [text]


_bits = st.sampled_from(
    [
        OPEN,
        CLOSE,
        OPEN[:5],
        CLOSE[:4],
        ADD,
        "<",
        ">",
        '"',
        "\\",
        " ",
        "\n",
        "text",
        "é",
        '{"name": "add"',
        "}",
        '{"name": "look"}',
    ]
)


@given(st.lists(_bits, max_size=8).map("".join), st.data())
def test_every_way_of_cutting_gives_the_same_parts(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    deltas = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert parse(deltas) == parse([text])


@given(st.lists(_bits, max_size=8).map("".join))
def test_nothing_is_lost_but_calls_and_white_space_around_them(text: str) -> None:
    contents = [part for part in parse([text]) if isinstance(part, str)]
    assert all(content in text for content in contents)
    if not any(isinstance(part, ToolCall) for part in parse([text])):
        assert "".join(contents) == text


def test_a_calls_id_is_the_same_when_the_answer_is_read_again() -> None:
    assert call_id(JOB, 0) == call_id(JOB, 0) != call_id(JOB, 1)
    assert call_id(JOB, 0).startswith("call_")


def test_an_answer_that_had_to_be_a_call_is_one_unless_it_was_cut() -> None:
    assert only_call(JOB, '{"name": "add", "arguments": {"a": 1}}', accepts) == call()
    assert only_call(JOB, '{"name": "add", "arg', accepts) == '{"name": "add", "arg'
