"""A call without marks, or content, as a grammar makes them: whatever the deltas, the same."""

import pytest
from fakes.reading import JOB, call, check_cuts, parse, texts
from hypothesis import given
from hypothesis import strategies as st

from pool.openai.types import ToolCall
from pool.toolcalls.bare import Bare
from pool.toolcalls.types import NO_TOOLS, Calls

CALL = '{"name": "add", "arguments": {"a": 1}}'


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (CALL, [call()]),
        ('{ "name":\n"look" , "arguments": {"t": "x y"}}', [call("look", '{"t": "x y"}')]),
        ('{"city": "Paris"}', ['{"city": "Paris"}']),
        ('{"name": "Ada", "age": 7}', ['{"name": "Ada", "age": 7}']),
        ('{"name": "add"}', ['{"name": "add"}']),
        ('{"name": "add", "arguments": {"a"', ['{"name": "add", "arguments": {"a"']),
        ('{"name": "addition", "arguments": {}}', ['{"name": "addition", "arguments": {}}']),
        ('{"na', ['{"na']),
        ("", []),
    ],
)
def test_a_whole_call_is_one_and_everything_else_is_content(text: str, parts: list[str | ToolCall]) -> None:
    assert parse([text], tool="bare") == parse(list(text), tool="bare") == parts


@given(texts(CALL, '{"name": "add"', '"arguments": {'), st.data())
def test_every_way_of_cutting_gives_the_same_parts(text: str, data: st.DataObject) -> None:
    check_cuts(text, data, lambda deltas: parse(deltas, tool="bare"))


def test_content_is_told_as_soon_as_it_cannot_be_a_call() -> None:
    one = Bare(Calls(JOB, NO_TOOLS))
    assert one.feed('{"name') == ['{"name']
    assert (one.feed(""), one.feed("x"), one.finish()) == ([], ["x"], [])
