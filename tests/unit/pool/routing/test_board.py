"""A queue that is too long sheds the newest job of the account that floods it."""

from iamine.ids import AccountId, JobId, ModelId, WorkerId
from iamine.wire.messages import CompletionWork, ModelOffer, Sampling
from pool.routing.board import Board, JobRecord
from pool.routing.effects import CancelAt, Effect, Refuse, Send, Wait
from pool.routing.lifecycle import JobStep
from pool.routing.scheduler import Scheduler
from pool.routing.types import JobOrder

M, W = ModelId("m"), WorkerId("w")
OFFER = ModelOffer(
    model=M, file_sha256="f", template_sha256="t", slots=1, context_tokens=9, vocabulary_tokens=9, prefill_tps=1, decode_tps=1
)


def ask(scheduler: Scheduler, job: str, model: ModelId = M) -> list[Effect]:
    """A job of the account that the job's first letter names."""
    order = JobOrder(
        job=JobId(job), account=AccountId(job[0]), model=model, work=CompletionWork(prompt="x"),
        sampling=Sampling(max_tokens=1), wall_time_s=0.0, deadline_s=100.0,
    )  # fmt: skip
    return scheduler.on_job(order, 0.0)


def refused(effects: list[Effect]) -> list[JobId]:
    return [effect.job for effect in effects if isinstance(effect, Refuse) and effect.code == "queue_full"]


def test_the_flooders_newest_job_goes_whoever_comes() -> None:
    scheduler = Scheduler(max_queue=3)
    for job in ("a1", "a2", "b1"):
        assert not refused(ask(scheduler, job))
    effects = ask(scheduler, "b2")
    assert refused(effects) == ["b2"], "of equals the one who asks"
    assert not [effect for effect in effects if isinstance(effect, Wait)]
    effects = ask(scheduler, "c1")
    assert refused(effects) == ["a2"]
    assert [effect.job for effect in effects if isinstance(effect, Wait)] == ["c1"]
    assert refused(ask(scheduler, "a3")) == ["a3"]
    assert scheduler.queued == 3


def test_an_accounts_jobs_of_all_models_count() -> None:
    scheduler = Scheduler(max_queue=3)
    for job, model in (("a1", "m"), ("a2", "n"), ("b1", "m")):
        ask(scheduler, job, ModelId(model))
    assert refused(ask(scheduler, "c1")) == ["a2"]


def test_a_job_that_was_begun_is_never_given_up_for_a_new_one() -> None:
    scheduler = Scheduler(max_queue=1)
    scheduler.on_worker(W, (OFFER,), 0.0)
    assert any(isinstance(effect, Send) for effect in ask(scheduler, "a1"))
    scheduler.on_worker_gone(W, 1.0)
    assert refused(ask(scheduler, "a2")) == ["a2"]
    assert refused(ask(scheduler, "b1")) == ["b1"]
    assert scheduler.queued == 1


def test_a_full_queue_refuses_nobody_whom_a_worker_takes_at_once() -> None:
    scheduler = Scheduler(max_queue=1)
    ask(scheduler, "a1", ModelId("n"))
    scheduler.on_worker(W, (OFFER,), 0.0)
    assert not refused(ask(scheduler, "b1"))


def test_the_wait_is_nothing_with_a_free_slot_grows_with_the_queue_and_is_unknown_without_a_worker() -> None:
    scheduler = Scheduler()
    assert scheduler.wait_s(M) is None
    scheduler.on_worker(W, (OFFER,), 0.0)
    assert scheduler.wait_s(M) == 0.0
    ask(scheduler, "a1")
    first = scheduler.wait_s(M)
    ask(scheduler, "a2")
    second = scheduler.wait_s(M)
    assert first is not None and second == 2 * first > 0


def test_a_job_that_a_worker_has_without_a_decision_settles_nothing() -> None:
    board = Board()
    board.fleet.join(W, (OFFER,), 0.0)
    order = JobOrder(
        job=JobId("a1"), account=AccountId("a"), model=M, work=CompletionWork(prompt="x"), sampling=Sampling(max_tokens=9),
        wall_time_s=0.0, deadline_s=9.0,
    )  # fmt: skip
    record = JobRecord(order=order, deadline_s=9.0, progressed_at=0.0)
    board.enter(record)
    board.fill(M, 0.0)
    record.decision = None
    board.started(record, 5, 0)
    assert board.end(record, JobStep.CANCEL, 1.0) == [CancelAt(worker=W, job=JobId("a1"), epoch=1)]
    assert board.fleet.owed() == ()
