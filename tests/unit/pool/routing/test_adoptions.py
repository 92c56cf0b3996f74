"""Who goes on with a lost pool's job: the newest epoch that is not another's, and nobody once the client is back or late."""

import pytest

from iamine.ids import AccountId, JobId, ModelId, WorkerId
from iamine.wire.messages import CompletionWork, Held, ModelOffer, Sampling
from pool.routing.adoptions import UNTOLD_EPOCHS, Adoptions, Expected, Holder
from pool.routing.effects import COUNTS, STALE, Breach, CancelAt, Continue, Effect, Send
from pool.routing.patience import Patience
from pool.routing.scheduler import Scheduler
from pool.routing.types import JobOrder, Resumed

J, A, B = JobId("j"), WorkerId("a"), WorkerId("b")


def expecting(epoch: int = 1, worker: WorkerId | None = A) -> Adoptions:
    adoptions = Adoptions()
    adoptions.expect(Expected(job=J, epoch=epoch, worker=worker, until_s=100.0))
    return adoptions


def held(epoch: int = 1, *, tokens: int = 5, job: JobId = J) -> Held:
    return Held(job=job, epoch=epoch, file_sha256="f", first=0, tokens=tokens)


def holder(worker: WorkerId, epoch: int) -> Holder:
    return Holder(worker=worker, job=J, epoch=epoch, file_sha256="f", first=0, tokens=5)


def test_its_worker_goes_on() -> None:
    adoptions = expecting()
    assert adoptions.offered(A, held()) == (True, None)
    assert adoptions.holder(J) == holder(A, 1)
    assert adoptions.taken(J) == holder(A, 1)
    assert adoptions.holder(J) is None and adoptions.offered(A, held()) == (False, None)


def test_nobody_else_does_under_the_epoch_that_was_written_down() -> None:
    assert expecting().offered(B, held()) == (False, None)
    assert expecting(epoch=2).offered(A, held(1)) == (False, None)
    assert expecting().offered(A, held(job=JobId("other"))) == (False, None)


def test_a_later_epoch_may_be_anybodys_and_takes_over() -> None:
    adoptions = expecting()
    adoptions.offered(A, held())
    assert adoptions.offered(B, held(2)) == (True, holder(A, 1))
    assert adoptions.offered(A, held(2)) == (False, None), "one epoch is one worker's"
    assert adoptions.offered(A, held(1)) == (False, None)
    assert adoptions.holder(J) == holder(B, 2)
    assert expecting(epoch=0, worker=None).offered(B, held(1)) == (True, None), "nothing was written down in time"


def test_a_worker_that_goes_may_come_back() -> None:
    adoptions = expecting()
    adoptions.offered(A, held())
    adoptions.gone(B)
    assert adoptions.holder(J) is not None
    adoptions.gone(A)
    assert adoptions.holder(J) is None
    assert adoptions.offered(A, held()) == (True, None)


def test_a_client_that_stays_away_is_not_waited_for() -> None:
    adoptions = expecting()
    adoptions.expect(Expected(job=JobId("nobodys"), epoch=1, worker=A, until_s=50.0))
    adoptions.offered(A, held())
    assert list(adoptions.overdue(100.0)) == []
    assert list(adoptions.overdue(100.1)) == [holder(A, 1)]
    assert list(adoptions.overdue(1e9)) == []
    assert adoptions.taken(J) is None


def test_what_a_holder_has() -> None:
    one = Holder(worker=A, job=J, epoch=1, file_sha256="f", first=2, tokens=5)
    assert [index for index in range(8) if one.has(index)] == [2, 3, 4, 5]


# ---- as the scheduler performs it -----------------------------------------------------------------------------------------

OTHER = JobId("other")


def offer(file: str = "f", slots: int = 1) -> ModelOffer:
    return ModelOffer(
        model=ModelId("m"), file_sha256=file, template_sha256="t", slots=slots, context_tokens=100, vocabulary_tokens=10
    )


def order(job: JobId = J, *, resumed: Resumed | None = None) -> JobOrder:
    return JobOrder(
        job=job,
        account=AccountId("a"),
        model=ModelId("m"),
        work=CompletionWork(prompt="x"),
        sampling=Sampling(max_tokens=10),
        wall_time_s=0.0,
        deadline_s=100.0,
        resumed=resumed,
    )


def had(count: int, *, epoch: int = 1, file: str = "f") -> Resumed:
    return Resumed(ids=tuple(range(count)), file_sha256=file, template_sha256="old", epoch=epoch)


def sent(effects: list[Effect]) -> list[Send]:
    return [effect for effect in effects if isinstance(effect, Send)]


@pytest.fixture
def scheduler() -> Scheduler:
    made = Scheduler(Patience(late_tick_s=1e9), max_queue=1)
    made.expect(Expected(job=J, epoch=1, worker=A, until_s=100.0))
    return made


def test_a_held_job_keeps_its_slot_and_goes_on_when_its_client_is_back(scheduler: Scheduler) -> None:
    assert scheduler.on_worker(A, (offer(),), 0.0, (held(tokens=9),)) == []
    assert scheduler.is_held(J) and scheduler.running == 1
    assert sent(scheduler.on_job(order(OTHER), 1.0)) == [], "its slot is taken"
    assert scheduler.on_job(order(resumed=had(3)), 2.0) == [Continue(worker=A, job=J, epoch=1, index=3)]
    assert (scheduler.file_of(J), scheduler.template_of(J), scheduler.is_held(J)) == ("f", "old", False)
    assert isinstance(scheduler.on_tokens(A, J, 1, 3, 1, 3.0), Breach), "what began it is told again first"
    assert scheduler.on_started(A, J, 1, 3.0) == COUNTS
    assert isinstance(scheduler.on_tokens(A, J, 1, 2, 1, 3.0), Breach)
    assert scheduler.on_tokens(A, J, 1, 3, 2, 3.0) == COUNTS
    assert scheduler.on_tokens(B, J, 1, 5, 1, 3.0) == STALE
    verdict, effects = scheduler.on_finished(A, J, 1, 5, 4.0)
    assert verdict == COUNTS and [one.job for one in sent(effects)] == [OTHER]


def test_when_its_holder_is_lost_later_it_moves_on_under_an_epoch_that_nobody_has(scheduler: Scheduler) -> None:
    scheduler.on_worker(A, (offer(),), 0.0, (held(),))
    scheduler.on_job(order(resumed=had(3)), 1.0)
    scheduler.on_worker(B, (offer(),), 1.0)
    (send,) = sent(scheduler.on_worker_gone(A, 2.0))
    assert (send.worker, send.template_sha256) == (B, "old") and send.epoch > UNTOLD_EPOCHS


def test_epochs_that_the_lost_pool_may_have_used_after_the_holders_are_left_out_too(scheduler: Scheduler) -> None:
    scheduler.on_worker(B, (offer(),), 0.0, (held(1500),))
    scheduler.on_job(order(resumed=had(3)), 1.0)
    scheduler.on_worker(A, (offer(),), 1.0)
    (send,) = sent(scheduler.on_worker_gone(B, 2.0))
    assert send.epoch == 1500 + UNTOLD_EPOCHS + 1


@pytest.mark.parametrize(
    ("one", "count"),
    [(held(tokens=2), 3), (Held(job=J, epoch=1, file_sha256="f", first=4, tokens=9), 3)],
    ids=["little", "late"],
)
def test_a_holder_that_has_not_what_is_needed_is_told_to_stop(scheduler: Scheduler, one: Held, count: int) -> None:
    scheduler.on_worker(A, (offer(),), 0.0, (one,))
    effects = scheduler.on_job(order(resumed=had(3)), 1.0)
    assert effects[0] == CancelAt(worker=A, job=J, epoch=1)
    (send,) = sent(effects)
    assert (send.worker, send.epoch, send.file_sha256) == (A, 1 + UNTOLD_EPOCHS + 1, "f")


def test_without_a_holder_it_goes_on_on_its_file_only_before_all_others(scheduler: Scheduler) -> None:
    scheduler.on_worker(B, (offer("g"),), 0.0)
    assert sent(scheduler.on_job(order(resumed=had(3)), 1.0)) == []
    scheduler.on_job(order(OTHER), 1.0)
    (send,) = sent(scheduler.on_worker(A, (offer(),), 2.0))
    assert (send.worker, send.job) == (A, J)


def test_of_which_no_token_is_known_it_goes_on_anywhere(scheduler: Scheduler) -> None:
    scheduler.on_worker(B, (offer("g"),), 0.0)
    (send,) = sent(scheduler.on_job(order(resumed=had(0)), 1.0))
    assert (send.worker, send.file_sha256, send.template_sha256) == (B, "g", "t")


def test_a_holder_of_another_file_is_not_gone_on_with(scheduler: Scheduler) -> None:
    scheduler.on_worker(A, (offer(),), 0.0, (held(),))
    assert CancelAt(worker=A, job=J, epoch=1) in scheduler.on_job(order(resumed=had(3, file="g")), 1.0)


def test_what_nobody_expects_is_cancelled_at_once(scheduler: Scheduler) -> None:
    cancelled = [CancelAt(worker=B, job=J, epoch=1), CancelAt(worker=B, job=OTHER, epoch=4)]
    assert scheduler.on_worker(B, (offer(),), 0.0, (held(), held(4, job=OTHER))) == cancelled
    assert scheduler.on_worker(A, (offer("g"),), 0.0, (held(),)) == [CancelAt(worker=A, job=J, epoch=1)], "without its file"
    assert scheduler.running == 0


def test_a_newer_attempt_ends_the_older_one(scheduler: Scheduler) -> None:
    scheduler.on_worker(A, (offer(),), 0.0, (held(),))
    assert scheduler.on_worker(B, (offer(),), 0.0, (held(2), held(1))) == [
        CancelAt(worker=A, job=J, epoch=1),
        CancelAt(worker=B, job=J, epoch=1),
    ]
    assert scheduler.assigned(A) == {} and scheduler.assigned(B) == {J: "f"}
    assert scheduler.on_job(order(resumed=had(3)), 1.0) == [Continue(worker=B, job=J, epoch=2, index=3)]


def test_a_holder_whose_link_breaks_or_file_goes_is_no_job_lost(scheduler: Scheduler) -> None:
    scheduler.on_worker(A, (offer(),), 0.0, (held(),))
    assert scheduler.on_offers(A, (), 0.5) == []
    assert scheduler.on_worker_gone(A, 1.0) == []
    assert not scheduler.is_held(J)
    assert scheduler.on_worker(A, (offer(),), 2.0, (held(),)) == [] and scheduler.is_held(J)


def test_a_client_that_stays_away_frees_the_slot(scheduler: Scheduler) -> None:
    scheduler.on_worker(A, (offer(),), 0.0, (held(),))
    scheduler.on_job(order(OTHER), 1.0)
    scheduler.on_heartbeat(A, True, 100.0)
    assert [e for e in scheduler.on_tick(100.0) if isinstance(e, CancelAt | Send)] == []
    scheduler.on_heartbeat(A, True, 100.5)
    effects = scheduler.on_tick(100.5)
    assert effects[0] == CancelAt(worker=A, job=J, epoch=1)
    assert [one.job for one in sent(effects)] == [OTHER]


def test_a_holder_that_went_before_its_time_is_over_is_only_told_to_stop(scheduler: Scheduler) -> None:
    scheduler.on_worker(A, (offer(),), 0.0, (held(),))
    scheduler.on_worker(B, (offer(),), 0.0)
    scheduler.on_worker_gone(A, 1.0)
    assert scheduler.on_tick(101.0) != [] and scheduler.running == 0
