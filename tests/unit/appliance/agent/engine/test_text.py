"""Text is shown in whole characters, stop strings never, and the cutting into tokens changes nothing."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from appliance.agent.engine.text import VisibleText
from iamine.wire.messages import MARK

stops = st.lists(st.text("ab<é", min_size=0, max_size=4), max_size=4)
bytes_like = st.one_of(st.binary(max_size=40), st.text("ab<é🐎", max_size=40).map(str.encode))


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(p % (len(data) + 1) for p in places), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


def test_a_mark_of_the_models_own_is_told_from_its_characters() -> None:
    visible = VisibleText(marks=True)
    assert visible.feed("é".encode()[:1]) == ""
    assert visible.feed(b"<a>", mark=True) == f"\ufffd{MARK}<a>"
    assert visible.feed(b"<a>") == "<a>"
    assert visible.feed(MARK.encode()) == "\ufffd", "nobody else writes it"
    assert visible.finish() == ""
    assert VisibleText().feed(MARK.encode()) == MARK


def test_a_stop_string_may_be_a_mark() -> None:
    visible = VisibleText(["<a>"], marks=True)
    assert visible.feed(b"x<a>", mark=True) == f"{MARK}x"
    assert visible.stop == "<a>"


def shown(pieces: list[bytes], stop: list[str]) -> tuple[str, str | None]:
    visible = VisibleText(stop)
    text = "".join(visible.feed(p) for p in pieces) + visible.finish()
    return text, visible.stop


@given(bytes_like, stops, st.lists(st.integers(0, 100), max_size=20))
def test_any_cutting_into_tokens_shows_the_same_text(data: bytes, stop: list[str], places: list[int]) -> None:
    assert shown(cut(data, places), stop) == shown([data], stop)


@given(bytes_like, stops, st.lists(st.integers(0, 100), max_size=20))
def test_shown_text_is_the_decoded_text_up_to_the_first_stop_string(data: bytes, stop: list[str], places: list[int]) -> None:
    text, matched = shown(cut(data, places), stop)
    whole = data.decode("utf-8", "replace")
    if matched is None:
        assert text == whole
        assert not any(s in whole for s in stop if s)
    else:
        assert whole.startswith(text + matched)
        assert not any(s in (text + matched)[:-1] for s in stop if s)


@given(bytes_like, stops, st.lists(st.integers(0, 100), max_size=20))
def test_what_was_shown_after_k_tokens_does_not_depend_on_later_ones(data: bytes, stop: list[str], places: list[int]) -> None:
    pieces = cut(data, places)
    for k in range(len(pieces)):
        first, whole = VisibleText(stop), VisibleText(stop)
        assert [first.feed(p) for p in pieces[:k]] == [whole.feed(p) for p in pieces][:k]


def test_half_a_character_waits_for_its_other_half() -> None:
    visible = VisibleText()
    horse = "🐎".encode()
    assert [visible.feed(horse[:1]), visible.feed(horse[1:3]), visible.feed(horse[3:])] == ["", "", "🐎"]
    assert visible.finish() == ""


def test_an_unfinished_character_becomes_a_replacement_at_the_end_only_once() -> None:
    visible = VisibleText()
    assert visible.feed(b"a\xf0\x9f") == "a"
    assert visible.finish() == "\ufffd"
    assert visible.finish() == ""


def test_the_start_of_a_stop_string_is_held_back_and_given_when_it_becomes_something_else() -> None:
    visible = VisibleText(["END"])
    assert [visible.feed(b"one E"), visible.feed(b"N"), visible.feed(b"C "), visible.feed(b"EN")] == ["one ", "", "ENC ", ""]
    assert visible.finish() == "EN"


def test_nothing_is_shown_after_a_stop_string() -> None:
    visible = VisibleText(["STOP"])
    assert visible.feed(b"go STOP on") == "go "
    assert visible.stop == "STOP"
    assert (visible.feed(b"more"), visible.finish()) == ("", "")


def test_the_stop_string_that_is_complete_first_wins_and_of_several_the_one_that_began_first() -> None:
    assert shown([b"xabcd"], ["abcd", "bc"]) == ("xa", "bc")
    assert shown([b"xabc"], ["bc", "abc"]) == ("x", "abc")
