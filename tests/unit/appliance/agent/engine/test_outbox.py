"""Frames leave in order; while the socket is full, steps are joined."""

import socket
import threading
from collections.abc import Iterator

import pytest

from appliance.agent.engine.outbox import AgentGone, Outbox, join_steps
from appliance.agent.engine.protocol import Deframer, FromEngine, decode_from_engine
from iamine.ids import JobId
from iamine.wire.messages import MAX_STEP_TOKENS, Finished, SequenceStep, Step

Pair = tuple[socket.socket, socket.socket]


def sequence(job: str, index: int, *ids: int, text: str = "") -> SequenceStep:
    return SequenceStep(job=JobId(job), epoch=1, index=index, ids=ids, text=text)


def step(*sequences: SequenceStep) -> Step:
    return Step(sequences=sequences)


@pytest.fixture
def sockets() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_joined_steps_say_the_same_as_both() -> None:
    joined = join_steps(
        step(sequence("a", 3, 1, text="x"), sequence("b", 0, 9)), step(sequence("a", 4, 2, text="y"), sequence("c", 7, 5))
    )
    assert joined == step(sequence("a", 3, 1, 2, text="xy"), sequence("b", 0, 9), sequence("c", 7, 5))


def test_steps_with_a_gap_or_too_many_tokens_are_not_joined() -> None:
    assert join_steps(step(sequence("a", 0, 1)), step(sequence("a", 2, 1))) is None
    full = step(sequence("a", 0, *range(MAX_STEP_TOKENS)))
    assert join_steps(full, step(sequence("a", MAX_STEP_TOKENS, 1))) is None


def test_steps_are_not_joined_into_a_frame_that_is_too_large() -> None:
    large = step(sequence("a", 0, 1, text="x" * 200_000))
    assert join_steps(large, step(sequence("a", 1, 1))) is not None
    assert join_steps(large, step(sequence("b", 0, 1, text="x" * 200_000))) is None


def test_a_slow_reader_gets_everything_in_order_and_fewer_frames(sockets: Pair) -> None:
    ours, theirs = sockets
    outbox = Outbox(theirs)
    count, text = 20_000, "some text of a token "
    for n in range(count):
        outbox.put(step(sequence("a", n, n, text=text)))
    outbox.put(Finished(job=JobId("a"), epoch=1, tokens=count, reason="stop"))
    frames: list[FromEngine] = []
    deframer = Deframer()
    while not frames or not isinstance(frames[-1], Finished):
        frames += map(decode_from_engine, deframer.feed(ours.recv(1 << 20)))
    steps = [f.sequences[0] for f in frames if isinstance(f, Step)]
    assert [i for s in steps for i in s.ids] == list(range(count))
    assert [s.index for s in steps] == [sum(len(x.ids) for x in steps[:n]) for n in range(len(steps))]
    assert "".join(s.text for s in steps) == text * count
    assert len(steps) < count
    assert outbox.flush(1.0)


def test_a_closed_socket_is_told(sockets: Pair) -> None:
    ours, theirs = sockets
    outbox = Outbox(theirs)
    ours.close()
    with pytest.raises(AgentGone):
        outbox.put(step(sequence("a", 0, 1)))
    with pytest.raises(AgentGone):
        outbox.put(step(sequence("a", 1, 1)))


def test_a_reader_that_goes_away_while_frames_wait_is_told(sockets: Pair) -> None:
    ours, theirs = sockets
    outbox = Outbox(theirs)
    for n in range(20_000):
        outbox.put(step(sequence("a", n, n, text="x" * 40)))
    threading.Thread(target=ours.close).start()
    with pytest.raises(AgentGone):
        while True:
            outbox.put(step(sequence("a", 20_000, 1)))
