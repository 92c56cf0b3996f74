"""Wherever a client stopped, and however the answer is cut the second time: it gets the rest of the same text, or an error."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from iamine.ids import JobId
from iamine.wire.messages import TokenLogprob
from pool.dispatch.events import ChoiceDelta
from pool.dispatch.position import Place, Position, Seek, Trace, read_position
from pool.errors import ResumeMismatch
from pool.openai.types import ToolCall

CALL = ToolCall(index=0, id="c", name="add", arguments='{"a": 1}')
Told = tuple[ChoiceDelta, int]  # a delta, and the tokens of the choice after it


def content(text: str) -> ChoiceDelta:
    return ChoiceDelta(choice=0, content=text)


def reasoning(text: str) -> ChoiceDelta:
    return ChoiceDelta(choice=0, reasoning=text)


TOKENS = st.lists(
    st.one_of(
        st.text("abé€", max_size=3).map(content),
        st.text("abé", min_size=1, max_size=3).map(reasoning),
        st.just(ChoiceDelta(choice=0, call=CALL)),
    ),
    max_size=12,
)


def cut(tokens: list[ChoiceDelta], sizes: list[int]) -> list[Told]:
    """The answer's tokens as deltas of so many tokens each: neighbours of one kind that come at once are joined."""
    told: list[Told] = []
    done = 0
    for size in [*sizes, len(tokens)]:
        some = tokens[done : done + size]
        done += len(some)
        joined: list[ChoiceDelta] = []
        for one in some:
            last = joined[-1] if joined else None
            if last is not None and last.call is None and one.call is None and bool(last.reasoning) == bool(one.reasoning):
                joined[-1] = replace(last, content=last.content + one.content, reasoning=last.reasoning + one.reasoning)
            else:
                joined.append(one)
        told += [(one, done) for one in joined if one.call or one.content or one.reasoning]
    return told


def shown(deltas: list[ChoiceDelta]) -> list[object]:
    """What a client has, however it was cut."""
    parts: list[list[object]] = []
    for one in deltas:
        kind = "call" if one.call else "reasoning" if one.reasoning else "content"
        if parts and parts[-1][0] == kind != "call":
            parts[-1][1] = str(parts[-1][1]) + (one.reasoning or one.content)
        elif one.call or one.reasoning or one.content:
            parts.append([kind, one.call or one.reasoning or one.content])
    return [tuple(part) for part in parts]


SIZES = st.lists(st.integers(1, 4), max_size=12)


@given(TOKENS, SIZES, SIZES, st.data())
def test_the_rest_follows_whatever_was_read(
    tokens: list[ChoiceDelta], once: list[int], again: list[int], data: st.DataObject
) -> None:
    first = cut(tokens, once)
    stop = data.draw(st.integers(0, len(first)))
    trace = Trace()
    for delta, _ in first[:stop]:
        trace.add(delta)
    place = Place(tokens=first[stop - 1][1], crc=trace.crc) if stop else Place(tokens=0, crc=0)
    seek = Seek(place)
    had, rest = [delta for delta, _ in first[:stop]], []
    for delta, count in cut(tokens, again):
        seen, new = seek.split(delta, count)
        assert seen is not None or new is not None
        rest += [] if new is None else [new]
    seek.ended()
    assert seek.found
    assert shown(had + rest) == shown([delta for delta, _ in first])
    whole = Trace()
    for delta, _ in first:
        whole.add(delta)
    assert seek.trace.crc == whole.crc


@given(st.text("ab", min_size=1, max_size=8), st.text("ab", min_size=1, max_size=8), st.integers(1, 3))
def test_another_text_is_never_gone_on_with(read: str, told: str, tokens: int) -> None:
    trace = Trace()
    trace.add(content(read))
    seek = Seek(Place(tokens=tokens, crc=trace.crc))
    new: list[ChoiceDelta] = []

    def tell() -> None:
        for number, char in enumerate(told, 1):
            new.extend(one for one in seek.split(content(char), number)[1:] if one is not None)
        seek.ended()

    if not told.startswith(read):
        with pytest.raises(ResumeMismatch):
            tell()
        assert new == []


def test_a_place_that_is_passed_is_a_mismatch_at_once() -> None:
    seek = Seek(Place(tokens=1, crc=1))
    assert seek.split(content("a"), 1) == (content("a"), None)
    with pytest.raises(ResumeMismatch):
        seek.split(content("b"), 2)
    assert not seek.found


def test_the_end_must_not_come_before_the_place() -> None:
    seek = Seek(Place(tokens=5, crc=1))
    seek.split(content("a"), 1)
    with pytest.raises(ResumeMismatch):
        seek.ended()


def test_without_a_place_all_is_new() -> None:
    seek = Seek(None)
    assert seek.found
    assert seek.split(content("a"), 1) == (None, content("a"))
    seek.ended()


def test_log_probabilities_go_with_their_bytes() -> None:
    logprobs = tuple(TokenLogprob(id=i, logprob=-1.0, bytes=tuple(text.encode())) for i, text in enumerate(("ab", "é", "c")))
    whole = ChoiceDelta(choice=0, content="abéc", logprobs=logprobs)
    trace = Trace()
    trace.add(content("ab"))
    seen, new = Seek(Place(tokens=1, crc=trace.crc)).split(whole, 3)
    assert seen == ChoiceDelta(choice=0, content="ab", logprobs=logprobs[:1])
    assert new == ChoiceDelta(choice=0, content="éc", logprobs=logprobs[1:])


def test_kinds_are_told_apart() -> None:
    crcs = set()
    for delta in (
        content("add\0{}"),
        reasoning("add\0{}"),
        ChoiceDelta(choice=0, call=dataclasses.replace(CALL, arguments="{}")),
    ):
        trace = Trace()
        trace.add(delta)
        crcs.add(trace.crc)
    assert len(crcs) == 3


def test_an_id_is_read_as_it_was_written() -> None:
    one = Position(job=JobId("job_a"), places=(Place(tokens=3, crc=0xAB),))
    two = Position(job=JobId("job_a"), places=(Place(tokens=3, crc=1), Place(tokens=0, crc=0)))
    assert (one.text(), two.text()) == ("job_a:3:000000ab", "job_a:3.0:00000001.00000000")
    assert (read_position(one.text()), read_position(two.text())) == (one, two)


@pytest.mark.parametrize(
    "text", ["", "x", "job_a:3", "job_a:3:xyz", "job_a:3.4:000000ab", "job_a:-3:000000ab", "a b:3:000000ab"]
)
def test_other_texts_are_no_id(text: str) -> None:
    assert read_position(text) is None
