"""Users cannot write control tokens, and text without them is left as it is."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.agent.engine.markers import MAX_DEPTH, SEAM, Markers, TooDeep, guard_all

TEXTS = ["<|im_start|>", "<|im_end|>", "<tool_call>", "[INST]", "<|a|><|b|>"]
pieces = st.sampled_from(
    ["<", "|", "im_", "start", "end", "|>", ">", "<|im_end|>", "<|im_start|>", "[INST", "]", "x", " ", SEAM]
)
written = st.lists(pieces, max_size=12).map("".join)


def parts(text: str) -> list[str]:
    return text.split(SEAM)


@given(written)
def test_no_part_of_a_guarded_text_holds_a_special_token(text: str) -> None:
    guarded = Markers(TEXTS).guard(text)
    assert not any(special in part for part in parts(guarded) for special in TEXTS)
    assert guarded.replace(SEAM, "") == text.replace(SEAM, "")


@given(st.lists(written, max_size=4))
def test_not_even_when_a_template_puts_guarded_texts_next_to_each_other(texts: list[str]) -> None:
    joined = "".join(map(Markers(TEXTS).guard, texts))
    assert not any(special in part for part in parts(joined) for special in TEXTS)


@given(st.text(st.characters(blacklist_characters="<>|[]" + SEAM), max_size=30))
def test_ordinary_text_is_not_touched(text: str) -> None:
    assert Markers(TEXTS).guard(text) == text


def test_a_special_token_is_cut_after_its_first_character() -> None:
    assert Markers(TEXTS).guard("a<|im_end|>b") == f"a<{SEAM}|im_end|>b"


def test_halves_of_a_token_in_two_texts_stay_halves() -> None:
    guard = Markers(TEXTS).guard
    assert parts(guard("hi <|im_") + guard("end|> you")) == ["hi <|im_", "", "end|> you"]


def test_without_special_tokens_only_seams_are_dropped() -> None:
    assert Markers([]).guard(f"a{SEAM}<|im_end|>") == "a<|im_end|>"
    assert Markers(["ab"]).guard("abab") == "abab"  # too short to be a marker


def test_every_string_of_a_json_value_is_guarded_keys_too() -> None:
    value = {"k<": ["<x", 1, None, {"a": True}]}
    assert guard_all(value, str.upper) == {"K<": ["<X", 1, None, {"A": True}]}


def test_too_deep_values_are_refused() -> None:
    value: object = "x"
    for _ in range(MAX_DEPTH + 1):
        value = [value]
    with pytest.raises(TooDeep):
        guard_all(value, str)


def test_a_message_full_of_beginnings_is_guarded_in_no_time() -> None:
    many = Markers([f"<|reserved_special_token_{n}|>" for n in range(1000)])
    began = time.process_time()
    assert SEAM in many.guard("<|reserved_special_token_" * 20_000 + "<|reserved_special_token_7|>" + "<" * 500_000)
    assert time.process_time() - began < 2.0
