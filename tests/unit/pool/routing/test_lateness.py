"""Who is late: silent workers and answers that stand still; a process that slept blames nobody."""

import pytest

from iamine.ids import AccountId, JobId, ModelId, WorkerId
from iamine.wire.messages import CompletionWork, EmbeddingWork, ModelOffer, Sampling, Work
from pool.routing.board import Board, JobRecord
from pool.routing.effects import COUNTS, CancelAt
from pool.routing.lateness import Lateness
from pool.routing.patience import Patience
from pool.routing.scheduler import Scheduler
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


def begun() -> Scheduler:
    """A job has begun at second 0; its worker is to say something every 3 s."""
    scheduler = Scheduler(Patience(late_tick_s=1e9))
    offer = ModelOffer(
        model=ModelId("m"),
        file_sha256="f",
        slots=1,
        context_tokens=100,
        vocabulary_tokens=10,
        decode_tps=10.0,
        prefill_tps=9.0,
    )
    scheduler.on_worker(WorkerId("w"), (offer,), 0.0)
    order = JobOrder(
        job=JobId("j"),
        account=AccountId("a"),
        model=ModelId("m"),
        work=CompletionWork(prompt="x"),
        sampling=Sampling(max_tokens=10),
        wall_time_s=0.0,
        deadline_s=1e6,
    )
    scheduler.on_job(order, 0.0)
    assert scheduler.on_started(WorkerId("w"), JobId("j"), 1, 0.0, 9, 0) is COUNTS
    return scheduler


@pytest.mark.parametrize(("said", "late_s"), [("progress", 4.5), ("started", 3.5), ("no token", 3.5)])
def test_who_only_says_the_same_again_has_stalled(said: str, late_s: float) -> None:
    scheduler = begun()
    for second in range(1, 4):
        scheduler.on_heartbeat(WorkerId("w"), True, float(second))
        match said:
            case "progress":
                assert scheduler.on_progress(WorkerId("w"), JobId("j"), 1, float(second), 1) is COUNTS
            case "started":
                assert scheduler.on_started(WorkerId("w"), JobId("j"), 1, float(second), 9, 0) is COUNTS
            case _:
                assert scheduler.on_tokens(WorkerId("w"), JobId("j"), 1, 0, 0, float(second)) is COUNTS
        assert not any(isinstance(one, CancelAt) for one in scheduler.on_tick(float(second)))
    scheduler.on_heartbeat(WorkerId("w"), True, late_s)
    assert any(isinstance(one, CancelAt) for one in scheduler.on_tick(late_s))
