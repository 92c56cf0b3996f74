"""Which reader a model's formats ask for."""

from typing import get_args

import pytest
from fakes.reading import call, new_calls, parse

from iamine.manifest import ReasoningFormat, ToolFormat
from pool.toolcalls.formats import REASONING_FORMATS, TOOL_FORMATS, Formats, only_call
from pool.toolcalls.types import Reasoning

HERMES = '<tool_call>{"name": "add", "arguments": {"a": 1}}</tool_call>'


def test_the_manifest_names_formats_that_the_pool_reads() -> None:
    assert set(get_args(ToolFormat)) == TOOL_FORMATS
    assert set(get_args(ReasoningFormat)) == REASONING_FORMATS


def test_what_this_pool_does_not_know_is_none() -> None:
    assert Formats(tool="smoke-signals", reasoning="telepathy").known == Formats()
    for tool in TOOL_FORMATS:
        for reasoning in REASONING_FORMATS:
            assert Formats(tool=tool, reasoning=reasoning).known == Formats(tool=tool, reasoning=reasoning)


@pytest.mark.parametrize("tool", sorted(TOOL_FORMATS))
@pytest.mark.parametrize("reasoning", sorted(REASONING_FORMATS))
def test_plain_text_is_content_in_every_format(tool: str, reasoning: str) -> None:
    for text in ("", " ", "Just an answer: 1 < 2, [x], “é”.\n", "to be or not"):
        assert parse(list(text), tool=tool, reasoning=reasoning) == ([text] if text else [])


def test_without_tools_of_the_request_there_are_no_calls() -> None:
    assert parse([HERMES], tool="hermes", tools=False) == [HERMES]
    assert parse([HERMES], tool="hermes") == [call()]


def test_reasoning_comes_before_calls_and_holds_none() -> None:
    text = f"<think>\nI could {HERMES}\n</think>\n\n{HERMES}"
    assert parse(list(text), tool="hermes", reasoning="think") == [Reasoning(text=f"I could {HERMES}"), call()]


def test_an_answer_that_had_to_be_a_call_is_one_unless_it_was_cut() -> None:
    assert only_call(new_calls(), '{"name": "add", "arguments": {"a": 1}}') == [call()]
    assert only_call(new_calls(), '{"name": "add", "arg') == ['{"name": "add", "arg']
    assert only_call(new_calls(), "") == []
