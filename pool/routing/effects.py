"""What the scheduler wants done, and its verdict on a frame. The hub performs; it does not decide."""

from dataclasses import dataclass
from typing import Literal

from iamine.ids import JobId, WorkerId
from iamine.wire.messages import Demand, Value
from pool.routing.standing import Standing
from pool.routing.types import Queued

RefusalCode = Literal["deadline", "answer_lost", "context_overflow", "bad_request", "queue_full"]


class Send(Value, frozen=True, kw_only=True):
    """Give the job to the worker under a new epoch, to go on after the tokens it has."""

    worker: WorkerId
    job: JobId
    epoch: int
    file_sha256: str
    template_sha256: str
    reason: str


class CancelAt(Value, frozen=True, kw_only=True):
    """Tell the worker to stop this epoch of the job."""

    worker: WorkerId
    job: JobId
    epoch: int


class Continue(Value, frozen=True, kw_only=True):
    """Ask the worker that holds the job for its tokens from `index` on."""

    worker: WorkerId
    job: JobId
    epoch: int
    index: int


class Wait(Value, frozen=True, kw_only=True):
    """Tell the client where its job stands."""

    job: JobId
    queued: Queued


class Refuse(Value, frozen=True, kw_only=True):
    """End the job with an error; the scheduler has forgotten it."""

    job: JobId
    code: RefusalCode
    message: str


class Evict(Value, frozen=True, kw_only=True):
    """End the worker's link: it has been silent for too long."""

    worker: WorkerId
    code: str
    reason: str


class Inform(Value, frozen=True, kw_only=True):
    """Tell the worker why it has no job."""

    standing: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Lack:
    """Tell the worker what the pool lacks, if it understands that."""

    worker: WorkerId
    told: Demand


Effect = Send | CancelAt | Continue | Wait | Refuse | Evict | Inform | Lack


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
