"""Reasoning between `<think>` and `</think>`."""

import pytest
from fakes.reading import call, check_cuts, new_calls, parse, texts
from hypothesis import given
from hypothesis import strategies as st

from pool.toolcalls.formats import Formats, reader
from pool.toolcalls.think import CLOSE, OPEN
from pool.toolcalls.types import Part, Reasoning

ADD = '<tool_call>{"name": "add", "arguments": {"a": 1}}</tool_call>'


def thought(text: str) -> Reasoning:
    return Reasoning(text=text)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("<think>\nSo é.\n\nWell.\n</think>\n\nYes.\n", [thought("So é.\n\nWell."), "Yes.\n"]),
        ("\n<think>a</think>", [thought("a")]),
        ("<think>\n\n</think>\n\nYes.", ["Yes."]),
        ("<think> \n </think> \n ", []),
        ("<think>cut off </thi", [thought("cut off </thi")]),
        ("<think>cut off\n", [thought("cut off")]),
        ("<think>", []),
        ("<thin", ["<thin"]),
        (" <thing> is <think>not</think>", [" <thing> is <think>not</think>"]),
        ("Yes.<think>no</think>", ["Yes.<think>no</think>"]),
        ("<think>a <think> b</think> c </think>", [thought("a <think> b"), "c </think>"]),
        ("<think>a</think>\n" + ADD + "\n", [thought("a"), call()]),
        ("<think>a</think>So.\n" + ADD, [thought("a"), "So.\n", call()]),
    ],
)
def test_reasoning_is_told_apart(text: str, parts: list[Part]) -> None:
    for tool in ("hermes", "qwen-coder") if ADD not in text else ("hermes",):
        assert parse([text], tool=tool, reasoning="think") == parts
        assert parse(list(text), tool=tool, reasoning="think") == parts


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("\nSo.\n</think>\n\nYes.", [thought("So."), "Yes."]),
        ("</think>Yes.", ["Yes."]),
        ("So", [thought("So")]),
        ("<think>So</think>Yes", [thought("<think>So"), "Yes"]),
        ("", []),
    ],
)
def test_a_text_may_begin_inside(text: str, parts: list[Part]) -> None:
    assert parse([text], reasoning="think", opened=True) == parse(list(text), reasoning="think", opened=True) == parts


def test_it_says_when_it_is_inside_reasoning() -> None:
    one = reader(Formats(reasoning="think"), new_calls(), tools=False, opened=False)
    inside = []
    for piece in ("\n", "<think>", "a", "</think>", "\n", "b"):
        one.feed(piece)
        inside.append(one.reasoning)
    assert inside == [False, True, True, False, False, False]
    assert reader(Formats(reasoning="think"), new_calls(), tools=False, opened=True).reasoning


@given(texts(OPEN, CLOSE, OPEN + "so" + CLOSE, ADD), st.booleans(), st.sampled_from(["", "hermes", "llama3"]), st.data())
def test_every_way_of_cutting_gives_the_same_parts(text: str, opened: bool, tool: str, data: st.DataObject) -> None:
    check_cuts(text, data, lambda deltas: parse(deltas, tool=tool, reasoning="think", opened=opened))


@given(texts(OPEN, CLOSE), st.booleans())
def test_nothing_is_lost_but_the_marks_and_white_space(text: str, opened: bool) -> None:
    parts = parse([text], reasoning="think", opened=opened)
    told = "".join(part.text if isinstance(part, Reasoning) else str(part) for part in parts)
    left = text.lstrip()
    if opened or left.startswith(OPEN):
        left = left.removeprefix("" if opened else OPEN).replace(CLOSE, "", 1)
    assert "".join(told.split()) == "".join(left.split())
