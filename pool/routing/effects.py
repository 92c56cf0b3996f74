"""What the scheduler wants done, and its verdict on a frame. The hub performs; it does not decide."""

from dataclasses import dataclass
from typing import Literal

from iamine.ids import JobId, WorkerId
from pool.routing.standing import Standing
from pool.routing.types import Queued

RefusalCode = Literal["deadline", "answer_lost", "context_overflow", "bad_request", "queue_full"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Give the job to the worker under a new epoch, to go on after the tokens it has."""

    worker: WorkerId
    job: JobId
    epoch: int
    file_sha256: str
    template_sha256: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAt:
    """Tell the worker to stop this epoch of the job."""

    worker: WorkerId
    job: JobId
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Continue:
    """Ask the worker that holds the job for its tokens from `index` on."""

    worker: WorkerId
    job: JobId
    epoch: int
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Tell the client where its job stands."""

    job: JobId
    queued: Queued


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """End the job with an error; the scheduler has forgotten it."""

    job: JobId
    code: RefusalCode
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evict:
    """End the worker's link: it has been silent for too long."""

    worker: WorkerId
    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inform:
    """Tell the worker why it has no job."""

    standing: Standing


Effect = Send | CancelAt | Continue | Wait | Refuse | Evict | Inform


@dataclass(frozen=True, slots=True)
class Counts:
    """The frame is of the current epoch, from the assignee, and in order."""


@dataclass(frozen=True, slots=True)
class Stale:
    """A zombie's frame: an older epoch, another worker, or a job that is over. Dropped and counted."""


@dataclass(frozen=True, slots=True)
class Breach:
    """The assignee itself broke the rules: its link must end."""

    reason: str


Verdict = Counts | Stale | Breach
COUNTS = Counts()
STALE = Stale()
