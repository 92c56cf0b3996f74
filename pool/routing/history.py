"""What became of a job, told to whoever asked it: who served it and why, and who lost it and why. Never its text."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from iamine.ids import JobId, WorkerId
from iamine.wire.messages import Value
from pool.routing.types import Segment

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


class Story(Value, frozen=True, kw_only=True):
    """What is kept of a request, of all its choices together: why its last worker, its longest wait, and each takeover
    with its choice."""

    reason: str = ""
    waited_s: float = 0.0
    takeovers: tuple[tuple[int, Takeover], ...] = ()


UNTOLD = Story()


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
    givers: list[tuple[WorkerId, int]] = field(default_factory=list)

    def sent(self, worker: WorkerId, reason: str, now: float) -> None:
        """A worker got it."""
        self.waited_s += max(0.0, now - self.since)
        self.worker, self.reason = worker, reason
        if not self.givers or self.givers[-1][0] != worker:
            self.givers = [*self.givers[1 - MOST_TAKEOVERS :], (worker, self.tokens)]

    def lost(self, why: Loss, now: float) -> None:
        """Its worker is lost to it; it waits again."""
        if self.worker is not None:
            found = Takeover(worker=self.worker, token=self.tokens, why=why, after_s=round(now - self.asked_at, 3))
            self.takeovers = [*self.takeovers[1 - MOST_TAKEOVERS :], found]
        self.worker, self.since = None, now

    def segments(self) -> tuple[Segment, ...]:
        """Who gave which tokens, in order; a worker that gave none is left out."""
        stops = [start for _, start in self.givers[1:]] + [self.tokens]
        pairs = zip(self.givers, stops, strict=False)
        return tuple(Segment(worker=worker, start=start, stop=stop) for (worker, start), stop in pairs if stop > start)

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

    def of(self, job: JobId) -> tuple[History, ...]:
        """Those of a request's choices (`job`, or `job.0`, `job.1` ...) that live or have not been over for long."""
        single = self._of(job)
        if single is not None:
            return (single,)
        found: list[History] = []
        while (history := self._of(JobId(f"{job}.{len(found)}"))) is not None:
            found.append(history)
        return tuple(found)

    def _of(self, job: JobId) -> History | None:
        return self._live.get(job) or self._ended.get(job)


def story(choices: Sequence[History], now: float) -> Story:
    """What is to be kept of them."""
    reason, waited_s, takeovers = "", 0.0, list[tuple[int, Takeover]]()
    for number, history in enumerate(choices):
        reason = history.reason or reason
        waited_s = max(waited_s, history.waiting_s(now))
        for one in history.takeovers:
            takeovers.append((number, one))
    return Story(reason=reason, waited_s=round(waited_s, 3), takeovers=tuple(takeovers))
