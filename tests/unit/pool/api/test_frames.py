"""The short way of reading frames: the same messages as `websockets` reads, and hands off everything that is not simple."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side

from pool.api.frames import framed, whole_messages

LIMIT = 100_000


def sent(message: bytes, opcode: Opcode = Opcode.BINARY, *, fin: bool = True, mask: bool = True) -> bytes:
    return Frame(opcode, message, fin).serialize(mask=mask, extensions=[])


@given(st.lists(st.binary(max_size=300), max_size=5), st.integers(0, 400))
def test_whole_messages_are_read_and_the_rest_is_left(messages: list[bytes], cut: int) -> None:
    data = b"".join(map(sent, messages))
    data = data[: max(0, len(data) - cut)]
    found, rest = whole_messages(data, LIMIT)
    assert found == messages[: len(found)]
    assert data[:rest] == b"" or len(found) > 0
    assert rest == len(data) or len(found) < len(messages)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, LIMIT])
def test_every_length_there_and_back(size: int) -> None:
    message = random.Random(size).randbytes(size)
    assert whole_messages(sent(message), LIMIT) == ([message], len(sent(message)))
    assert framed(message) == sent(message, mask=False)
    peer = Protocol(Side.CLIENT)
    peer.receive_data(framed(message))
    (event,) = peer.events_received()
    assert isinstance(event, Frame) and bytes(event.data) == message


@pytest.mark.parametrize(
    "data",
    [
        sent(b"x", Opcode.PING),
        sent(b"x", Opcode.CLOSE),
        sent(b"x", fin=False),
        sent(b"x", Opcode.CONT),
        sent(b"x", mask=False),
        sent(b"x" * (LIMIT + 1)),
        b"\xc2" + sent(b"x")[1:],  # compressed, and nobody agreed to that
        b"GET / HTTP/1.1\r\n\r\n",
        b"",
    ],
)
def test_what_is_not_simple_is_left_to_the_library(data: bytes) -> None:
    assert whole_messages(data, LIMIT) == ([], 0)
    before = sent(b"before", Opcode.TEXT)
    assert whole_messages(before + data, LIMIT) == ([b"before"], len(before))
