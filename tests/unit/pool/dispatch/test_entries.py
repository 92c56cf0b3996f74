"""A journal's pages tell a job's events as they were."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iamine.ids import WorkerId
from iamine.wire.messages import TokenLogprob, TopToken
from pool.dispatch.entries import read, resumed, write
from pool.routing.types import Begun, Delta, Ended, JobEvent, Queued, Resumed, Segment, Standing

STANDING = Standing(file_sha256="f", template_sha256="t", prompt_sha256="p")
LOGPROB = TokenLogprob(id=1, logprob=-0.5, bytes=(195, 169), top=(TopToken(id=2, logprob=-1.0, bytes=(65,)),))


def begun(worker: str = "a", epoch: int = 1) -> Begun:
    return Begun(worker=WorkerId(worker), epoch=epoch, prompt_tokens=7, cached_tokens=2, reasoning=True)


def ended(tokens: int) -> Ended:
    segments = (Segment(worker=WorkerId("a"), start=0, stop=tokens),)
    return Ended(reason="stop", text="!", tokens=tokens, prompt_tokens=7, cached_tokens=2, segments=segments, stop="\n")


EVENTS = st.lists(
    st.one_of(
        st.just(begun()),
        st.just(ended(3)),
        st.builds(
            Delta,
            index=st.integers(0, 10**6),
            ids=st.lists(st.integers(0, 2**31), max_size=3).map(tuple),
            text=st.text(max_size=5),
            logprobs=st.sampled_from([(), (LOGPROB,)]),
        ),
    )
)


@given(EVENTS, st.integers(0, 10**6))
def test_a_page_tells_what_was_written(events: list[JobEvent], offset: int) -> None:
    page = read(write(events, STANDING, offset))
    assert (page.offset, page.events) == (offset, events)
    assert page.standing == (STANDING if begun() in events else None)


def test_how_an_answer_waits_is_no_part_of_it() -> None:
    with pytest.raises(TypeError):
        write([Queued(position=1, estimate_s=None)], STANDING, 0)


def test_other_bytes_are_no_page() -> None:
    for junk in (b"", b"x", msgspec.msgpack.encode((0, [["z", 1]]))):
        with pytest.raises(msgspec.DecodeError):
            read(junk)


def test_what_the_scheduler_needs_to_go_on() -> None:
    events = [
        begun("a", 1),
        Delta(index=0, ids=(5, 6), text="x"),
        begun("a", 2),
        Delta(index=2, ids=(7,), text="y"),
        begun("b", 3),
        Delta(index=3, ids=(8,), text="z"),
        ended(4),
    ]
    assert resumed(events, STANDING) == Resumed(
        ids=(5, 6, 7, 8),
        givers=((WorkerId("a"), 0), (WorkerId("b"), 3)),
        prompt_tokens=7,
        cached_tokens=2,
        file_sha256="f",
        template_sha256="t",
        prompt_sha256="p",
        epoch=3,
    )
    assert resumed([], Standing()) == Resumed()
