"""Jobs of a pool that was lost: which of them may still be wanted, and which worker goes on with each meanwhile."""

from collections.abc import Iterator
from dataclasses import dataclass

from iamine.ids import JobId, WorkerId
from iamine.wire.messages import Held

UNTOLD_EPOCHS = 1000  # dispatches that a lost pool may have made without having written them down


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A job whose client may come back until `until_s`; its last epoch that was written down, and who had it then."""

    job: JobId
    epoch: int
    worker: WorkerId | None
    until_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A worker that goes on with a job and has kept its tokens [first, tokens)."""

    worker: WorkerId
    job: JobId
    epoch: int
    file_sha256: str
    first: int
    tokens: int

    def has(self, index: int) -> bool:
        """Whether it can tell the answer from this token on."""
        return self.first <= index <= self.tokens


class Adoptions:
    """What is expected, and who holds it. The newest epoch wins: older ones belong to workers that were given up."""

    def __init__(self) -> None:
        self._expected: dict[JobId, Expected] = {}
        self._holders: dict[JobId, Holder] = {}

    def expect(self, job: Expected) -> None:
        """A worker that holds this job is to go on with it."""
        self._expected[job.job] = job

    def offered(self, worker: WorkerId, held: Held) -> tuple[bool, Holder | None]:
        """A worker holds the job: whether it is to go on, and whose older attempt is over because of it."""
        new = Holder(
            worker=worker, job=held.job, epoch=held.epoch, file_sha256=held.file_sha256, first=held.first, tokens=held.tokens
        )
        known, older = self._expected.get(held.job), self._holders.get(held.job)
        if known is None or not _may_have(known, new) or (older is not None and older.epoch >= new.epoch):
            return False, None
        self._holders[held.job] = new
        return True, older

    def holder(self, job: JobId) -> Holder | None:
        """Who goes on with the job."""
        return self._holders.get(job)

    def taken(self, job: JobId) -> Holder | None:
        """The client is back: the job is an ordinary one again from here on."""
        self._expected.pop(job, None)
        return self._holders.pop(job, None)

    def gone(self, worker: WorkerId) -> None:
        """The worker's link is lost; it may come back with what it holds."""
        for job in [job for job, holder in self._holders.items() if holder.worker == worker]:
            del self._holders[job]

    def overdue(self, now: float) -> Iterator[Holder]:
        """Forgets the jobs that nobody came back for; tells who still goes on with one."""
        for job in [one.job for one in self._expected.values() if now > one.until_s]:
            holder = self.taken(job)
            if holder is not None:
                yield holder


def _may_have(known: Expected, new: Holder) -> bool:
    """The epoch that was written down is one worker's; a later one was not written down in time."""
    return new.epoch > known.epoch or (new.epoch == known.epoch and new.worker == known.worker)
