"""The scheduler's promises, one by one; the simulation in tests/sim tries them all at once."""

from collections.abc import Sequence
from typing import Any

import pytest

from iamine.ids import AccountId, JobId, ModelId, WorkerId
from iamine.wire.messages import ChatWork, CompletionWork, EmbeddingWork, Failed, ModelOffer, Sampling
from pool.routing.effects import COUNTS, STALE, Breach, CancelAt, Effect, Evict, Refuse, Send, Wait
from pool.routing.patience import Patience
from pool.routing.scheduler import Scheduler
from pool.routing.types import JobOrder, Queued

M, OTHER = ModelId("m"), ModelId("other")
W, V, U = WorkerId("w"), WorkerId("v"), WorkerId("u")
J, K = JobId("j"), JobId("k")


def offer(
    file: str = "f", *, slots: int = 1, context: int = 100, model: ModelId = M, tps: float = 10.0, template: str = "t"
) -> ModelOffer:
    return ModelOffer(
        model=model,
        file_sha256=file,
        template_sha256=template,
        slots=slots,
        context_tokens=context,
        vocabulary_tokens=10,
        prefill_tps=tps,
        decode_tps=tps,
    )


def order(
    job: JobId = J, *, account: str = "a", model: ModelId = M, tokens: int = 10, deadline_s: float = 100.0, work: Any = None
) -> JobOrder:
    return JobOrder(
        job=job,
        account=AccountId(account),
        model=model,
        work=work or CompletionWork(prompt="x"),
        sampling=Sampling(max_tokens=tokens),
        wall_time_s=0.0,
        deadline_s=deadline_s,
    )


def sends(effects: Sequence[Effect]) -> list[tuple[WorkerId, JobId, int]]:
    return [(effect.worker, effect.job, effect.epoch) for effect in effects if isinstance(effect, Send)]


def of(kind: type, effects: Sequence[Effect]) -> list[Effect]:
    return [effect for effect in effects if isinstance(effect, kind)]


def failed(job: JobId = J, epoch: int = 1, code: Any = "engine_lost", retryable: bool = True) -> Failed:
    return Failed(job=job, epoch=epoch, code=code, message="why", retryable=retryable)


@pytest.fixture
def scheduler() -> Scheduler:
    return Scheduler()


def running(scheduler: Scheduler, *, slots: int = 1, tokens: int = 10, **more: Any) -> None:
    """J runs on W under epoch 1 and has begun."""
    scheduler.on_worker(W, (offer(slots=slots),), 0.0)
    assert sends(scheduler.on_job(order(tokens=tokens, **more), 0.0)) == [(W, J, 1)]
    assert scheduler.on_started(W, J, 1, 0.0) is COUNTS


def test_a_job_goes_to_a_free_slot_at_once(scheduler: Scheduler) -> None:
    running(scheduler)
    assert (scheduler.workers, scheduler.running, scheduler.queued) == (1, 1, 0)
    assert scheduler.assigned(W) == {J: "f"}
    assert scheduler.file_of(J) == "f"
    assert [o.file_sha256 for o in scheduler.offering(M)] == ["f"]


def test_a_job_without_a_slot_waits_and_is_told_its_place(scheduler: Scheduler) -> None:
    effects = scheduler.on_job(order(), 0.0)
    assert effects == [Wait(job=J, queued=Queued(position=1, estimate_s=None))]
    assert scheduler.file_of(J) == ""
    assert scheduler.assigned(W) == {}
    joined = scheduler.on_worker(W, (offer(),), 1.0)
    assert sends(joined) == [(W, J, 1)]


def test_a_worker_takes_as_many_jobs_as_it_has_slots(scheduler: Scheduler) -> None:
    running(scheduler, slots=2)
    assert sends(scheduler.on_job(order(K), 0.0)) == [(W, K, 1)]
    assert sends(scheduler.on_job(order(JobId("l")), 0.0)) == []
    assert set(scheduler.assigned(W)) == {J, K}


def test_a_finished_job_gives_its_slot_to_the_next(scheduler: Scheduler) -> None:
    running(scheduler)
    waiting = scheduler.on_job(order(K), 0.0)
    assert of(Wait, waiting)[0].queued.estimate_s > 0  # type: ignore[attr-defined]
    assert scheduler.on_tokens(W, J, 1, 0, 3, 1.0) is COUNTS
    verdict, effects = scheduler.on_finished(W, J, 1, 3, 1.0)
    assert verdict is COUNTS
    assert sends(effects) == [(W, K, 1)]
    assert scheduler.file_of(J) == ""


def test_a_lost_worker_moves_its_job_on_with_a_new_epoch_and_the_same_file(scheduler: Scheduler) -> None:
    running(scheduler)
    scheduler.on_tokens(W, J, 1, 0, 4, 1.0)
    assert scheduler.on_worker_gone(W, 2.0) == []
    assert scheduler.on_worker(V, (offer("another"),), 3.0) == []
    effects = scheduler.on_worker(U, (offer("f", template="changed"),), 3.0)
    assert sends(effects) == [(U, J, 2)]
    assert effects[0].template_sha256 == "t"  # type: ignore[union-attr]


def test_before_the_first_token_any_file_of_the_model_will_do(scheduler: Scheduler) -> None:
    running(scheduler)
    scheduler.on_worker_gone(W, 2.0)
    assert sends(scheduler.on_worker(V, (offer("another"),), 3.0)) == [(V, J, 2)]


def test_only_the_current_epoch_and_worker_count(scheduler: Scheduler) -> None:
    running(scheduler)
    scheduler.on_worker_gone(W, 1.0)
    scheduler.on_worker(V, (offer(),), 1.0)
    scheduler.on_worker(W, (offer(),), 1.0)
    assert scheduler.on_started(V, J, 2, 1.0) is COUNTS
    assert scheduler.on_tokens(W, J, 1, 0, 1, 1.0) is STALE
    assert scheduler.on_tokens(W, J, 2, 0, 1, 1.0) is STALE
    assert scheduler.on_tokens(V, J, 1, 0, 1, 1.0) is STALE
    assert scheduler.on_started(W, J, 1, 1.0) is STALE
    assert scheduler.on_progress(W, JobId("never"), 1, 1.0, 5) is STALE
    assert scheduler.on_finished(W, J, 1, 0, 1.0) == (STALE, [])
    assert scheduler.on_embedded(W, J, 1, 1.0) == (STALE, [])
    assert scheduler.on_failed(W, failed(), 1.0) == (STALE, [])
    assert scheduler.on_tokens(V, J, 2, 0, 1, 1.0) is COUNTS


def test_an_assignee_that_breaks_the_order_is_told_so(scheduler: Scheduler) -> None:
    scheduler.on_worker(W, (offer(),), 0.0)
    scheduler.on_job(order(), 0.0)
    assert isinstance(scheduler.on_tokens(W, J, 1, 0, 1, 0.0), Breach)
    scheduler.on_started(W, J, 1, 0.0)
    assert isinstance(scheduler.on_tokens(W, J, 1, 1, 1, 0.0), Breach)
    assert isinstance(scheduler.on_tokens(W, J, 1, 0, 11, 0.0), Breach)
    assert isinstance(scheduler.on_finished(W, J, 1, 1, 0.0)[0], Breach)


def test_another_workers_departure_touches_no_job(scheduler: Scheduler) -> None:
    running(scheduler)
    scheduler.on_worker(V, (offer(),), 0.0)
    assert scheduler.on_worker_gone(V, 1.0) == []
    assert scheduler.on_worker_gone(V, 1.0) == []
    assert scheduler.on_tokens(W, J, 1, 0, 1, 1.0) is COUNTS


def test_a_cancelled_job_frees_its_slot_and_stops_the_worker(scheduler: Scheduler) -> None:
    running(scheduler)
    scheduler.on_job(order(K), 0.0)
    effects = scheduler.on_cancel(J, 1.0)
    assert effects[0] == CancelAt(worker=W, job=J, epoch=1)
    assert sends(effects) == [(W, K, 1)]
    assert scheduler.on_cancel(J, 1.0) == []


def test_a_cancelled_job_leaves_the_queue(scheduler: Scheduler) -> None:
    scheduler.on_job(order(), 0.0)
    assert scheduler.on_cancel(J, 1.0) == []
    assert scheduler.queued == 0
    assert scheduler.on_worker(W, (offer(),), 1.0) == []


def test_two_workers_that_stall_over_a_job_end_it_with_an_error(scheduler: Scheduler) -> None:
    running(scheduler)
    scheduler.on_worker(V, (offer(),), 1.0)
    effects: list[Effect] = []
    for tenth in range(100):
        for worker in (W, V):
            scheduler.on_heartbeat(worker, True, tenth / 10)
        effects += scheduler.on_tick(tenth / 10)
    assert [worker for worker, _, _ in sends(effects)] == [V]
    assert [effect.code for effect in of(Refuse, effects)] == ["answer_lost"]  # type: ignore[attr-defined]


def test_lost_links_are_hardly_the_jobs_fault_but_there_is_an_end_to_them(scheduler: Scheduler) -> None:
    running(scheduler)
    effects = scheduler.on_worker_gone(W, 1.0)
    for number in range(1, scheduler.patience.fruitless_links):
        assert not of(Refuse, effects)
        scheduler.on_worker(WorkerId(f"w{number}"), (offer(),), 1.0)
        effects = scheduler.on_worker_gone(WorkerId(f"w{number}"), 1.0)
    assert [effect.code for effect in of(Refuse, effects)] == ["answer_lost"]  # type: ignore[attr-defined]


def test_progress_between_two_losses_is_no_reason_to_give_up(scheduler: Scheduler) -> None:
    running(scheduler)
    for number in range(5):
        worker = WorkerId(f"w{number}")
        scheduler.on_worker_gone(worker if number else W, 1.0)
        (_, _, epoch), *_ = sends(scheduler.on_worker(WorkerId(f"w{number + 1}"), (offer(),), 1.0))
        scheduler.on_started(WorkerId(f"w{number + 1}"), J, epoch, 1.0)
        assert scheduler.on_tokens(WorkerId(f"w{number + 1}"), J, epoch, number, 1, 1.0) is COUNTS
        scheduler.on_worker_gone(WorkerId(f"w{number + 1}"), 1.0) if number == 4 else None


def test_one_worker_whose_engine_dies_gets_the_job_again_but_not_for_ever(scheduler: Scheduler) -> None:
    running(scheduler)
    _, effects = scheduler.on_failed(W, failed(), 1.0)
    assert sends(effects) == [(W, J, 2)]
    assert not of(CancelAt, effects)
    _, effects = scheduler.on_failed(W, failed(epoch=2), 2.0)
    assert sends(effects) == [(W, J, 3)]
    _, effects = scheduler.on_failed(W, failed(epoch=3), 3.0)
    assert of(Refuse, effects)


def test_a_job_rather_goes_to_a_worker_that_did_not_lose_it(scheduler: Scheduler) -> None:
    running(scheduler)
    scheduler.on_worker(V, (offer(tps=1.0),), 0.0)
    _, effects = scheduler.on_failed(W, failed(), 1.0)
    assert sends(effects) == [(V, J, 2)]


def test_no_free_slot_is_nobodys_fault(scheduler: Scheduler) -> None:
    running(scheduler)
    for epoch in range(1, 6):
        _, effects = scheduler.on_failed(W, failed(epoch=epoch, code="no_slot"), 1.0)
        assert sends(effects) == [(W, J, epoch + 1)]


def test_a_bad_request_is_refused_with_the_engines_words_and_the_slot_is_free(scheduler: Scheduler) -> None:
    running(scheduler)
    scheduler.on_job(order(K), 0.0)
    _, effects = scheduler.on_failed(W, failed(code="bad_grammar", retryable=False), 1.0)
    assert effects[0] == Refuse(job=J, code="bad_request", message="why")
    assert sends(effects) == [(W, K, 1)]


def test_a_prompt_too_long_goes_to_a_larger_context_or_is_refused(scheduler: Scheduler) -> None:
    running(scheduler)
    scheduler.on_worker(V, (offer(context=200, tps=1.0),), 0.0)
    overflow = failed(code="context_overflow", retryable=False)
    _, effects = scheduler.on_failed(W, overflow, 1.0)
    assert sends(effects) == [(V, J, 2)]
    _, effects = scheduler.on_failed(V, failed(epoch=2, code="context_overflow", retryable=False), 1.0)
    assert [effect.code for effect in of(Refuse, effects)] == ["context_overflow"]  # type: ignore[attr-defined]


def test_a_worker_that_drops_a_file_loses_the_jobs_of_that_file(scheduler: Scheduler) -> None:
    running(scheduler)
    effects = scheduler.on_offers(W, (offer("new", model=OTHER),), 1.0)
    assert effects == [CancelAt(worker=W, job=J, epoch=1)]
    assert sends(scheduler.on_offers(W, (offer(),), 2.0)) == [(W, J, 2)]
    assert sends(scheduler.on_offers(W, (offer(), offer("new", model=OTHER)), 3.0)) == []


def test_each_model_is_offered_by_its_own_file(scheduler: Scheduler) -> None:
    scheduler.on_worker(W, (offer("f"), offer("g", model=OTHER), offer("h", model=OTHER)), 0.0)
    assert {o.file_sha256 for o in scheduler.offering(OTHER)} == {"g", "h"}
    scheduler.on_worker(V, (offer("f"),), 0.0)
    scheduler.on_worker_gone(W, 1.0)
    assert scheduler.offering(OTHER) == []
    assert len(scheduler.offering(M)) == 1


def test_frames_of_a_worker_that_is_not_here_change_nothing(scheduler: Scheduler) -> None:
    assert scheduler.on_offers(W, (offer(),), 0.0) == []
    assert scheduler.on_heartbeat(W, True, 0.0) == []
    scheduler.on_drain(W, 0.0)
    scheduler.on_stepped(W, 0.0)
    assert scheduler.workers == 0


def test_a_worker_that_is_not_ready_or_drains_gets_nothing_new(scheduler: Scheduler) -> None:
    scheduler.on_worker(W, (offer(),), 0.0)
    scheduler.on_heartbeat(W, False, 0.0)
    assert sends(scheduler.on_job(order(), 0.0)) == []
    assert sends(scheduler.on_heartbeat(W, True, 1.0)) == [(W, J, 1)]
    scheduler.on_drain(W, 1.0)
    assert sends(scheduler.on_job(order(K), 1.0)) == []


def test_silence_ends_a_busy_worker_soon_and_an_idle_one_late() -> None:
    scheduler = Scheduler(Patience(late_tick_s=1e9))
    running(scheduler)
    scheduler.on_worker(V, (offer(model=OTHER),), 0.0)
    assert not of(Evict, scheduler.on_tick(2.4))
    effects = scheduler.on_tick(2.6)
    assert [effect.worker for effect in of(Evict, effects)] == [W]  # type: ignore[attr-defined]
    assert scheduler.queued == 1
    assert [effect.worker for effect in of(Evict, scheduler.on_tick(46.0))] == [V]  # type: ignore[attr-defined]


def test_silence_counts_from_the_job_not_from_the_last_idle_heartbeat() -> None:
    scheduler = Scheduler(Patience(late_tick_s=1e9))
    scheduler.on_worker(W, (offer(),), 0.0)
    scheduler.on_job(order(), 14.0)
    assert not of(Evict, scheduler.on_tick(16.0))


def test_a_stalled_job_moves_although_its_worker_lives() -> None:
    scheduler = Scheduler(Patience(late_tick_s=1e9))
    running(scheduler, tokens=1000)
    scheduler.on_tokens(W, J, 1, 0, 1, 1.0)
    scheduler.on_worker(V, (offer(),), 1.0)
    scheduler.on_heartbeat(W, True, 4.5)
    effects = scheduler.on_tick(4.5)
    assert effects[0] == CancelAt(worker=W, job=J, epoch=1)
    assert sends(effects) == [(V, J, 2)]


def test_a_slow_worker_is_given_three_of_its_own_steps() -> None:
    scheduler = Scheduler(Patience(late_tick_s=1e9))
    running(scheduler, tokens=1000)
    for step in range(4):
        scheduler.on_stepped(W, 2.0 * step)
        scheduler.on_tokens(W, J, 1, step, 1, 2.0 * step)
    scheduler.on_heartbeat(W, True, 11.5)
    assert not of(CancelAt, scheduler.on_tick(11.5))
    scheduler.on_heartbeat(W, True, 12.5)
    assert of(CancelAt, scheduler.on_tick(12.5))


def test_vectors_may_take_a_minute() -> None:
    scheduler = Scheduler(Patience(late_tick_s=1e9))
    running(scheduler, work=EmbeddingWork(inputs=("x",)))
    scheduler.on_heartbeat(W, True, 59.0)
    assert not of(CancelAt, scheduler.on_tick(59.0))
    assert scheduler.on_embedded(W, J, 1, 60.0) == (COUNTS, [])


def test_nobody_is_blamed_when_the_pool_itself_slept(scheduler: Scheduler) -> None:
    running(scheduler)
    scheduler.on_tick(0.5)
    assert scheduler.on_tick(60.0) == []
    assert scheduler.on_tick(60.25) == []


def test_a_deadline_ends_the_wait_and_waiting_is_told_each_tick(scheduler: Scheduler) -> None:
    scheduler.on_job(order(deadline_s=5.0), 0.0)
    assert scheduler.on_tick(5.0) == [Wait(job=J, queued=Queued(position=1, estimate_s=None))]
    effects = scheduler.on_tick(5.1)
    assert [effect.code for effect in of(Refuse, effects)] == ["deadline"]  # type: ignore[attr-defined]
    assert scheduler.queued == 0


def test_a_job_that_lost_its_worker_gets_time_to_go_on() -> None:
    scheduler = Scheduler(Patience(late_tick_s=1e9))
    running(scheduler, deadline_s=5.0)
    scheduler.on_tokens(W, J, 1, 0, 1, 4.0)
    scheduler.on_worker_gone(W, 5.0)
    assert not of(Refuse, scheduler.on_tick(64.0))
    assert of(Refuse, scheduler.on_tick(66.0))


def test_a_message_is_a_job_too(scheduler: Scheduler) -> None:
    import msgspec

    running(scheduler, work=ChatWork(messages=msgspec.Raw(b"[]")))


def test_progress_with_a_long_prompt_is_no_stall() -> None:
    scheduler = Scheduler(Patience(late_tick_s=1e9))
    running(scheduler)
    for second in range(1, 9):
        assert scheduler.on_progress(W, J, 1, float(second), second) is COUNTS
        assert not of(CancelAt, scheduler.on_tick(float(second)))


def test_why_a_worker_was_chosen_and_why_another_lost_the_job_is_told(scheduler: Scheduler) -> None:
    running(scheduler)
    scheduler.on_started(W, J, 1, 0.0, 40, 10)
    scheduler.on_tokens(W, J, 1, 0, 4, 1.0)
    scheduler.on_worker(V, (offer(),), 1.0)
    scheduler.on_worker_gone(W, 2.0)
    (history,) = scheduler.histories(J)
    assert [(one.worker, one.token, one.why) for one in history.takeovers] == [(W, 4, "lost link")]
    assert history.worker == V and history.reason.startswith("the only free worker near the best expected wait (")
    assert scheduler.histories(K) == ()


@pytest.mark.parametrize(
    ("code", "why"),
    [("draining", "drained"), ("no_slot", "no slot"), ("bad_template", "engine lost"), ("engine_lost", "engine lost")],
)
def test_a_failure_is_told_in_words(scheduler: Scheduler, code: str, why: str) -> None:
    running(scheduler)
    scheduler.on_failed(W, failed(code=code), 1.0)
    assert [one.why for one in scheduler.histories(J)[0].takeovers] == [why]
