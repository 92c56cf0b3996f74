"""What became of a job, told to whoever asked it: who served it and why, and who lost it and why. Never its text."""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Literal

from iamine.ids import JobId, WorkerId

Loss = Literal[
    "lost link",
    "silent",
    "stalled",
    "drained",
    "gave back",
    "engine lost",
    "model dropped",
    "prompt mismatch",
    "no slot",
    "context too small",
]
LOSSES: dict[str, Loss] = {  # by the code of a worker's Failed
    "draining": "drained",
    "engine_lost": "engine lost",
    "model_missing": "model dropped",
    "prompt_mismatch": "prompt mismatch",
    "no_slot": "no slot",
}
MOST_TAKEOVERS = 64  # told of one job: the last ones
MOST_ENDED = 4096  # jobs that are over and still told from memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Takeover:
    """A worker lost the job: after how many of its tokens, why, and how many seconds after it was asked."""

    worker: WorkerId
    token: int
    why: Loss
    after_s: float


@dataclass(slots=True)
class History:
    """One job. `asked_at` and `since` (when the present wait began) are monotonic seconds."""

    asked_at: float
    since: float
    worker: WorkerId | None = None
    reason: str = ""
    waited_s: float = 0.0
    tokens: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    over: bool = False
    takeovers: list[Takeover] = field(default_factory=list)

    def sent(self, worker: WorkerId, reason: str, now: float) -> None:
        """A worker got it."""
        self.waited_s += max(0.0, now - self.since)
        self.worker, self.reason = worker, reason

    def lost(self, why: Loss, now: float) -> None:
        """Its worker is lost to it; it waits again."""
        if self.worker is not None:
            found = Takeover(worker=self.worker, token=self.tokens, why=why, after_s=round(now - self.asked_at, 3))
            self.takeovers = [*self.takeovers[1 - MOST_TAKEOVERS :], found]
        self.worker, self.since = None, now

    def waiting_s(self, now: float) -> float:
        """Seconds without a worker by now, all waits together."""
        waits = self.worker is None and not self.over
        return self.waited_s + (max(0.0, now - self.since) if waits else 0.0)


class Histories:
    """Those of all live jobs, and of the last that are over."""

    def __init__(self) -> None:
        self._live: dict[JobId, History] = {}
        self._ended: OrderedDict[JobId, History] = OrderedDict()

    def begin(self, job: JobId, now: float) -> History:
        """A job was asked."""
        history = self._live[job] = History(asked_at=now, since=now)
        return history

    def end(self, job: JobId, now: float) -> None:
        """It is over."""
        history = self._live.pop(job)
        history.waited_s, history.over = history.waiting_s(now), True
        self._ended[job] = history
        if len(self._ended) > MOST_ENDED:
            self._ended.popitem(last=False)

    def of(self, job: JobId) -> History | None:
        """The job's, if it lives or has not been over for long."""
        return self._live.get(job) or self._ended.get(job)
