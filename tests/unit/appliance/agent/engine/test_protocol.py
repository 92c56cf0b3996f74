"""Frames survive any cutting of the stream; broken ones are told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.agent.engine.protocol import (
    HEADER,
    Deframer,
    FrameTooLarge,
    Load,
    Loaded,
    LoadFailed,
    decode_from_engine,
    decode_to_engine,
    encode,
)
from iamine.ids import JobId
from iamine.wire.messages import MAX_FRAME_BYTES, Cancel, Embedded


@given(st.lists(st.integers(0, 3), min_size=1, max_size=5), st.lists(st.integers(1, 50), max_size=20))
def test_frames_come_out_as_they_went_in_however_the_stream_is_cut(kinds: list[int], sizes: list[int]) -> None:
    messages = [Cancel(job=JobId("j" * k), epoch=k) for k in kinds]
    data, bodies, deframer = b"".join(map(encode, messages)), [], Deframer()
    for size in [*sizes, len(data)]:
        bodies += deframer.feed(data[:size])
        data = data[size:]
    assert [decode_to_engine(b) for b in bodies] == messages


def test_every_message_is_read_by_its_reader() -> None:
    load = Load(path="/x", file_sha256="ab", max_tps=2.5)
    assert decode_to_engine(encode(load)[HEADER.size :]) == load
    for answer in (Loaded(vocabulary_tokens=1, context_tokens=2, slots=3), LoadFailed(message="m", hint="h")):
        assert decode_from_engine(encode(answer)[HEADER.size :]) == answer


def test_frames_over_the_limit_are_refused_on_both_sides() -> None:
    with pytest.raises(FrameTooLarge):
        list(Deframer().feed(HEADER.pack(MAX_FRAME_BYTES + 1)))
    vector = tuple([0.1234567] * 1000)
    with pytest.raises(FrameTooLarge):
        encode(Embedded(job=JobId("j"), epoch=1, vectors=(vector,) * 1000, prompt_tokens=1))
