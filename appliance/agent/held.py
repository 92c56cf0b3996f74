"""Jobs that outlive their link: the frames of each, kept in order and within a bound, to be told again from any token on."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from iamine.ids import JobId
from iamine.wire.messages import MAX_HELD, Finished, Held, Job, Resume, SequenceStep, Started, Step

MAX_BYTES = 8 << 20  # of one job's kept frames, as estimated: over it the oldest go, and what needs them is done again
JOINED_STEPS = 256  # in one frame when frames are told again: few frames; who cuts too large ones is the link
TOKEN_BYTES, LOGPROB_BYTES = 48, 256  # measured on CPython 3.11: an id and its share of a step; one alternative's struct

Key = tuple[JobId, int]


@dataclass(slots=True)
class Keep:
    """One job's frames. `first` is the first token that is still here, `tokens` the one that comes next."""

    file_sha256: str
    hold_s: float
    first: int
    tokens: int
    waiting: bool = False
    until: float = 0.0
    started: Started | None = None
    steps: deque[SequenceStep] = field(default_factory=deque)
    finished: Finished | None = None
    size_bytes: int = 0

    def add(self, step: SequenceStep) -> None:
        """One more step; the oldest ones go when there are too many."""
        self.steps.append(step)
        self.tokens = step.index + len(step.ids)
        self.size_bytes += _size_bytes(step)
        while self.size_bytes > MAX_BYTES and self.steps:
            oldest = self.steps.popleft()
            self.size_bytes -= _size_bytes(oldest)
            self.first = oldest.index + len(oldest.ids)

    def since(self, index: int) -> list[Started | Step | Finished] | None:
        """What to tell somebody who has the tokens before `index`; None when that is not here or not a step's beginning."""
        rest = [step for step in self.steps if step.index >= index]
        begins = rest[0].index if rest else self.tokens
        if begins != index or index < self.first:
            return None
        frames: list[Started | Step | Finished] = [] if self.started is None else [self.started]
        frames += [Step(sequences=(step,)) for step in _joined(rest)]
        return [*frames, self.finished] if self.finished is not None else frames


class Holds:
    """The jobs to be held when the link is lost. Times are monotonic seconds and come from outside."""

    def __init__(self) -> None:
        self._keeps: dict[Key, Keep] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._keeps

    def take(self, job: Job) -> None:
        """A job begins; it is kept if the pool wants it held."""
        if job.hold_s > 0:
            first = len(job.prefix)
            self._keeps[job.job, job.epoch] = Keep(job.file_sha256, job.hold_s, first, first)

    def note(self, frame: Started | SequenceStep | Finished) -> bool:
        """Keep the frame; whether it may be told now: not while its job waits to be asked for."""
        keep = self._keeps.get((frame.job, frame.epoch))
        if keep is None:
            return True
        match frame:
            case Started():
                keep.started = frame
            case SequenceStep():
                keep.add(frame)
            case Finished():
                keep.finished = frame
        return not keep.waiting

    def waits(self, key: Key) -> bool:
        """Whether the job was begun under a link that is lost, and nobody has asked for it yet."""
        return key in self._keeps and self._keeps[key].waiting

    def drop(self, key: Key) -> None:
        """The job is over, or nobody wants it any more."""
        self._keeps.pop(key, None)

    def lost(self, now: float) -> None:
        """The link is lost: every kept job waits from now on."""
        for keep in self._keeps.values():
            keep.waiting, keep.until = True, now + keep.hold_s

    def linked(self, now: float) -> None:
        """A pool is there again: it has the same time again to ask for them."""
        for keep in self._waiting():
            keep.until = now + keep.hold_s

    def told(self) -> tuple[Held, ...]:
        """What the hello says."""
        told = (
            Held(job=job, epoch=epoch, file_sha256=keep.file_sha256, first=keep.first, tokens=keep.tokens)
            for (job, epoch), keep in self._keeps.items()
            if keep.waiting
        )
        return tuple(told)[:MAX_HELD]

    def resume(self, asked: Resume) -> list[Started | Step | Finished] | None:
        """The frames to tell again; from now on its new ones may be told at once. None when that cannot be done."""
        keep = self._keeps.get((asked.job, asked.epoch))
        frames = None if keep is None else keep.since(asked.index)
        if keep is not None and frames is not None:
            keep.waiting = False
        return frames

    def overdue(self, now: float) -> list[Key]:
        """The jobs that nobody asked for in time."""
        return [key for key, keep in self._keeps.items() if keep.waiting and now >= keep.until]

    def _waiting(self) -> Iterator[Keep]:
        return (keep for keep in self._keeps.values() if keep.waiting)


def _joined(steps: list[SequenceStep]) -> Iterator[SequenceStep]:
    """The same tokens in fewer steps."""
    for begin in range(0, len(steps), JOINED_STEPS):
        some = steps[begin : begin + JOINED_STEPS]
        yield SequenceStep(
            job=some[0].job,
            epoch=some[0].epoch,
            index=some[0].index,
            ids=tuple(token for step in some for token in step.ids),
            text="".join(step.text for step in some),
            logprobs=tuple(one for step in some for one in step.logprobs),
        )


def _size_bytes(step: SequenceStep) -> int:
    alternatives = sum(1 + len(one.top) for one in step.logprobs)
    return TOKEN_BYTES * len(step.ids) + 4 * len(step.text) + LOGPROB_BYTES * alternatives
