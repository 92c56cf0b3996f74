"""Messages cut to the wire's limits, and the bounded queue."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.agent.link.frames import OUTBOX_BYTES, OUTBOX_FRAMES, Outbox, frames
from iamine.ids import JobId
from iamine.wire.codec import decode_from_worker
from iamine.wire.errors import TooLarge
from iamine.wire.messages import (
    MAX_FRAME_BYTES,
    MAX_STEP_SEQUENCES,
    MAX_STEP_TOKENS,
    Embedded,
    Failed,
    Finished,
    Heartbeat,
    SequenceStep,
    Step,
    TokenLogprob,
)

JOB = JobId("job_1")


def step(*lengths: int, text: str = "") -> Step:
    return Step(sequences=tuple(SequenceStep(job=JobId(f"j{n}"), epoch=1, index=7, ids=tuple(range(length)), text=text)
                                for n, length in enumerate(lengths)))  # fmt: skip


def joined(sent: list[bytes]) -> dict[str, tuple[tuple[int, ...], str]]:
    """The ids and text of each job over all frames; asserts that each frame is legal and no index is skipped."""
    found: dict[str, tuple[tuple[int, ...], str]] = {}
    for frame in sent:
        message = decode_from_worker(frame)
        assert isinstance(message, Step)
        for each in message.sequences:
            ids, text = found.get(each.job, ((), ""))
            assert each.index == 7 + len(ids)
            found[each.job] = (ids + each.ids, text + each.text)
    return found


def test_a_message_within_the_limits_is_one_frame() -> None:
    (frame,) = frames(Heartbeat(running=1))
    assert decode_from_worker(frame) == Heartbeat(running=1)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 3 * MAX_STEP_TOKENS), min_size=1, max_size=4))
def test_cutting_loses_and_reorders_nothing(lengths: list[int]) -> None:
    found = joined(frames(step(*lengths, text="é")))
    assert found == {f"j{n}": (tuple(range(length)), "é") for n, length in enumerate(lengths)}


def test_too_many_sequences_are_cut() -> None:
    assert len(joined(frames(step(*[1] * (MAX_STEP_SEQUENCES + 1))))) == MAX_STEP_SEQUENCES + 1


def test_logprobs_go_with_their_tokens() -> None:
    logprobs = tuple(TokenLogprob(id=n, logprob=-1.0, bytes=(n % 256,)) for n in range(MAX_STEP_TOKENS + 2))
    ids = tuple(range(MAX_STEP_TOKENS + 2))
    sequence = SequenceStep(job=JOB, epoch=1, index=0, ids=ids, logprobs=logprobs)
    for frame in frames(Step(sequences=(sequence,))):
        message = decode_from_worker(frame)
        assert isinstance(message, Step)
        for each in message.sequences:
            assert each.ids == tuple(logprob.id for logprob in each.logprobs)


def test_too_many_bytes_are_cut_by_sequences() -> None:
    half = "x" * (MAX_FRAME_BYTES // 2)
    assert len(frames(step(1, 1, text=half))) == 2


def test_what_cannot_be_cut_is_a_failure_of_its_job() -> None:
    huge = "x" * MAX_FRAME_BYTES
    for message in (step(1, text=huge), Embedded(job=JobId("j0"), epoch=1, vectors=((0.1,) * 3_000_000,), prompt_tokens=1)):
        failed = decode_from_worker(frames(message)[-1])
        assert isinstance(failed, Failed)
        assert (failed.job, failed.epoch, failed.retryable) == ("j0", 1, False)


def test_other_messages_are_never_that_large() -> None:
    with pytest.raises(TooLarge):
        frames(Finished(job=JOB, epoch=1, tokens=1, reason="stop", text="x" * MAX_FRAME_BYTES))


async def test_the_queue_keeps_the_order_and_ends_when_empty() -> None:
    outbox = Outbox()
    for frame in (b"a", b"b"):
        assert outbox.put(frame)
    outbox.end()
    assert [await outbox.get() for _ in range(3)] == [b"a", b"b", None]


async def test_the_queue_waits_for_a_frame() -> None:
    outbox = Outbox()
    waiting = asyncio.create_task(outbox.get())
    await asyncio.sleep(0)
    outbox.put(b"a")
    assert await waiting == b"a"


async def test_the_queue_is_bounded_in_frames_and_bytes() -> None:
    outbox = Outbox()
    assert all(outbox.put(b"") for _ in range(OUTBOX_FRAMES))
    assert not outbox.put(b"")
    large = Outbox()
    assert large.put(bytes(OUTBOX_BYTES))
    assert not large.put(b"x")
    await large.get()
    assert large.put(b"x")
