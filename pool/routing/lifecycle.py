"""The life of a job in the scheduler: one table, and no entry is an error."""

from enum import Enum


class JobState(Enum):
    """Where a job stands. The last three are ends."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETE = "complete"
    CUT = "cut"
    REFUSED = "refused"


class JobStep(Enum):
    """What can happen to a job."""

    DISPATCH = "dispatch"
    LOSE = "lose"
    FINISH = "finish"
    CANCEL = "cancel"
    REFUSE = "refuse"


TABLE: dict[tuple[JobState, JobStep], JobState] = {
    (JobState.QUEUED, JobStep.DISPATCH): JobState.RUNNING,
    (JobState.QUEUED, JobStep.CANCEL): JobState.CUT,
    (JobState.QUEUED, JobStep.REFUSE): JobState.REFUSED,
    (JobState.RUNNING, JobStep.LOSE): JobState.QUEUED,
    (JobState.RUNNING, JobStep.FINISH): JobState.COMPLETE,
    (JobState.RUNNING, JobStep.CANCEL): JobState.CUT,
    (JobState.RUNNING, JobStep.REFUSE): JobState.REFUSED,
}


class ImpossibleStep(AssertionError):
    """A job was asked to do what its state does not allow: a fault in the scheduler itself."""


def step(state: JobState, event: JobStep) -> JobState:
    """The next state. Raises ImpossibleStep where the table has no entry."""
    try:
        return TABLE[state, event]
    except KeyError:
        raise ImpossibleStep(f"{event.value} of a job that is {state.value}") from None
