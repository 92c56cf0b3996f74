"""Who goes on with a lost pool's job: the newest epoch that is not another's, and nobody once the client is back or late."""

from iamine.ids import JobId, WorkerId
from iamine.wire.messages import Held
from pool.routing.adoptions import Adoptions, Expected, Holder

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
