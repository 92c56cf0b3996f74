"""Who is late: silent workers and answers that stand still; a process that slept blames nobody."""

import pytest

from iamine.ids import AccountId, JobId, ModelId, WorkerId
from iamine.wire.messages import CompletionWork, EmbeddingWork, ModelOffer, Sampling, Work
from pool.routing.board import Board, JobRecord
from pool.routing.lateness import Lateness
from pool.routing.patience import Patience
from pool.routing.types import JobOrder

PATIENCE = Patience()


def world(work: Work, *, tps: float = 10.0) -> tuple[Board, Lateness, JobRecord]:
    """One worker that has one job since the beginning of time."""
    board = Board()
    offer = ModelOffer(
        model=ModelId("m"), file_sha256="f", slots=1, context_tokens=100, vocabulary_tokens=10, decode_tps=tps, prefill_tps=tps
    )
    board.fleet.join(WorkerId("w"), (offer,), 0.0)
    order = JobOrder(
        job=JobId("j"),
        account=AccountId("a"),
        model=ModelId("m"),
        work=work,
        sampling=Sampling(max_tokens=10),
        wall_time_s=0.0,
        deadline_s=1e6,
    )
    record = JobRecord(order=order, deadline_s=1e6, progressed_at=0.0)
    board.enter(record)
    board.fill(ModelId("m"), 0.0)
    return board, Lateness(board, PATIENCE), record


@pytest.mark.parametrize("work", [CompletionWork(prompt="x"), EmbeddingWork(inputs=("x",))])
def test_an_answer_that_stands_still_for_longer_than_its_kind_may_has_stalled(work: Work) -> None:
    _, lateness, record = world(work)
    limit_s = PATIENCE.embedding_s if isinstance(work, EmbeddingWork) else PATIENCE.stall_s
    assert not lateness.stalled(record, limit_s)
    assert lateness.stalled(record, limit_s + 0.1)


def test_a_slow_worker_gets_the_time_of_its_own_steps() -> None:
    _, lateness, record = world(CompletionWork(prompt="x"), tps=0.01)
    assert not lateness.stalled(record, PATIENCE.stall_steps * 100 - 1)
    assert lateness.stalled(record, PATIENCE.stall_steps * 100 + 1)


def test_a_silent_worker_must_go_and_is_told_for_how_long_it_said_nothing() -> None:
    board, lateness, _ = world(CompletionWork(prompt="x"))
    (state,) = board.fleet
    assert lateness.silent(state, PATIENCE.busy_silence_s) is None
    gone = lateness.silent(state, PATIENCE.busy_silence_s + 1)
    assert gone is not None and gone.worker == "w" and f"{PATIENCE.busy_silence_s + 1:.1f} s" in gone.reason


def test_a_process_that_slept_blames_nobody_for_that_time() -> None:
    board, lateness, record = world(CompletionWork(prompt="x"))
    (state,) = board.fleet
    lateness.ticked(1.0)
    lateness.ticked(1000.0)
    assert lateness.silent(state, 1000.0) is None and not lateness.stalled(record, 1000.0)
