"""`[TOOL_CALLS]` with an array, or with a name and arguments."""

import pytest
from fakes.reading import call, check_cuts, parse, texts
from hypothesis import given
from hypothesis import strategies as st

from pool.openai.types import ToolCall
from pool.toolcalls.mistral import OPEN
from pool.toolcalls.types import Part

ARRAY = OPEN + ' [{"name": "add", "arguments": {"a": 1}, "id": "abcdefghi"}]'
NAMED = OPEN + 'add[ARGS]{"a": 1}'


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (ARRAY, [call()]),
        (NAMED, [call()]),
        (OPEN + '[{"name": "add", "arguments": {"a": 1}}, {"name": "look"}]', [call(), call("look", "{}", 1)]),
        (NAMED + OPEN + "look[CALL_ID]abc123xyz[ARGS] {}\n", [call(), call("look", "{}", 1)]),
        ("Well. " + NAMED, ["Well. ", call()]),
        (NAMED + " That was it.", [call(), " That was it."]),
        (OPEN + 'add[ARGS]{"t": "} né \\"]", "u": {"v": [{}]}}', [call(arguments='{"t": "} né \\"]", "u": {"v": [{}]}}')]),
        (OPEN + '[{"name": "other", "arguments": {}}]', [OPEN + '[{"name": "other", "arguments": {}}]']),
        (OPEN + "[]", [OPEN + "[]"]),
        (OPEN + "[1}", [OPEN + "[1}"]),
        (OPEN + "add[ARGS]{1}", [OPEN + "add[ARGS]{1}"]),
        (OPEN + "so be it {x} ", [OPEN + "so be it {x} "]),
        (OPEN + NAMED, [OPEN, call()]),
        (OPEN + "add" + NAMED, [OPEN + "add", call()]),
        (OPEN + "[", [OPEN + "["]),
        (OPEN + '[{"name": "open', [OPEN + '[{"name": "open']),
        (OPEN + "add[ARGS]", [OPEN + "add[ARGS]"]),
        ("[TOOL_C", ["[TOOL_C"]),
    ],
)
def test_calls_and_content_are_told_apart(text: str, parts: list[Part]) -> None:
    assert parse([text], tool="mistral") == parse(list(text), tool="mistral") == parts


@given(texts(OPEN, ARRAY, NAMED, "[ARGS]", '[{"name": "look"}', "]", "add[ARGS]", "look"), st.data())
def test_every_way_of_cutting_gives_the_same_parts(text: str, data: st.DataObject) -> None:
    check_cuts(text, data, lambda deltas: parse(deltas, tool="mistral"))
    parts = parse([text], tool="mistral")
    if not any(isinstance(part, ToolCall) for part in parts):
        assert "".join(part for part in parts if isinstance(part, str)) == text
