"""gpt-oss' messages."""

import pytest
from fakes.reading import call, check_cuts, new_calls, parse, texts
from hypothesis import given
from hypothesis import strategies as st

from pool.toolcalls.harmony import MAX_HEADER_CHARACTERS, Harmony
from pool.toolcalls.types import Part, Reasoning

START, CHANNEL, MESSAGE, END, CALL = "<|start|>", "<|channel|>", "<|message|>", "<|end|>", "<|call|>"
THINK = CHANNEL + "analysis" + MESSAGE + "So é." + END
FINAL = CHANNEL + "final" + MESSAGE + "Yes."
NEXT = START + "assistant"
ADD = CHANNEL + "commentary to=functions.add <|constrain|>json" + MESSAGE + '{"a": 1}' + CALL


def thought(text: str) -> Reasoning:
    return Reasoning(text=text)


LONG = CHANNEL + "x" * MAX_HEADER_CHARACTERS + MESSAGE + "Yes."


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (THINK + NEXT + FINAL, [thought("So é."), "Yes."]),
        (THINK + NEXT + FINAL + "<|return|>", [thought("So é."), "Yes."]),
        (THINK + NEXT + ADD, [thought("So é."), call()]),
        (THINK + NEXT + ADD.removesuffix(CALL), [thought("So é."), call()]),
        (NEXT + " to=functions.add" + CHANNEL + "commentary json" + MESSAGE + '{"a": 1}' + CALL, [call()]),
        (" to=functions.add" + CHANNEL + "commentary" + MESSAGE + '{"a": 1}', [call()]),
        (ADD + NEXT + ADD, [call(), call(index=1)]),
        (ADD.removesuffix(CALL) + NEXT + FINAL, [call(), "Yes."]),
        (CHANNEL + "commentary" + MESSAGE + "I look." + END + NEXT + ADD, ["I look.", call()]),
        (CHANNEL + "commentary" + MESSAGE + "I look." + END + NEXT + FINAL, ["I look.\n\nYes."]),
        (THINK + NEXT + THINK + NEXT + FINAL, [thought("So é.\n\nSo é."), "Yes."]),
        (THINK + NEXT + CHANNEL + "analysis" + MESSAGE, [thought("So é.")]),
        (THINK + "\n", [thought("So é.")]),
        (
            CHANNEL + "commentary to=functions.add" + MESSAGE + '{"t": "<|call|> \\"{}", "u": [{"v": {}}]}' + CALL,
            [call(arguments='{"t": "<|call|> \\"{}", "u": [{"v": {}}]}')],
        ),
        (ADD.replace(".add", ".other"), [ADD.replace(".add", ".other")]),
        (ADD.replace('{"a": 1}', "{a"), [ADD.replace('{"a": 1}', "{a")]),
        (ADD.replace('{"a": 1}', "3") + NEXT + FINAL, [ADD.replace('{"a": 1}', "3") + "Yes."]),
        (
            CHANNEL + "commentary to=python" + MESSAGE + "1+1" + CALL,
            [CHANNEL + "commentary to=python" + MESSAGE + "1+1" + CALL],
        ),
        (START + MESSAGE + "Yes.", ["Yes."]),
        ("Plain, to=me <|x|>", ["Plain, to=me <|x|>"]),
        ('{"a": 1}', ['{"a": 1}']),
        ("Yes. " + CHANNEL + "not one", ["Yes. " + CHANNEL + "not one"]),
        (CHANNEL + "final" + MESSAGE + "a " + CHANNEL + "b" + END + "c", ["a " + CHANNEL + "bc"]),
        (CHANNEL + "analysis" + MESSAGE + "a " + CHANNEL + "b" + END, [thought("a " + CHANNEL + "b")]),
        (CHANNEL + "final" + MESSAGE + "half <|en", ["half <|en"]),
        (CHANNEL + "fin", [CHANNEL + "fin"]),
        ("to=nobody at all", ["to=nobody at all"]),
        ("to=" + "x" * MAX_HEADER_CHARACTERS, ["to=" + "x" * MAX_HEADER_CHARACTERS]),
        (LONG, [LONG]),
        (" ", [" "]),
        ("", []),
    ],
)
def test_channels_and_calls_are_told_apart(text: str, parts: list[Part]) -> None:
    assert parse([text], tool="harmony", reasoning="harmony") == parts
    assert parse(list(text), tool="harmony", reasoning="harmony") == parts


def test_either_format_says_that_there_are_channels() -> None:
    text = THINK + NEXT + FINAL
    for named in ({"tool": "harmony"}, {"reasoning": "harmony"}):
        assert parse([text], tools=False, **named) == [thought("So é."), "Yes."]


def test_it_says_when_it_is_inside_reasoning() -> None:
    one = Harmony(new_calls())
    inside = []
    for piece in (CHANNEL, "analysis", MESSAGE, "a", END, FINAL):
        one.feed(piece)
        inside.append(one.reasoning)
    assert inside == [False, False, True, True, False, False]


_texts = texts(THINK, FINAL, ADD, NEXT, CHANNEL, MESSAGE, END, CALL, "analysis", "to=functions.add", '{"a": 1}')


@given(_texts, st.data())
def test_every_way_of_cutting_gives_the_same_parts(text: str, data: st.DataObject) -> None:
    check_cuts(text, data, lambda deltas: parse(deltas, tool="harmony"))


@given(texts("to=", MESSAGE, "<|"))
def test_without_a_header_nothing_is_lost(text: str) -> None:
    if MESSAGE not in text:
        assert parse(list(text), tool="harmony") == ([text] if text else [])
