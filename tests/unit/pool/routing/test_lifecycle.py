"""The table is total: every state and event either has an entry or is an error."""

import itertools

import pytest

from pool.routing.lifecycle import TABLE, ImpossibleStep, JobState, JobStep, step

ENDS = {JobState.COMPLETE, JobState.CUT, JobState.REFUSED}


@pytest.mark.parametrize(("state", "event"), list(itertools.product(JobState, JobStep)))
def test_every_pair_steps_or_is_an_error(state: JobState, event: JobStep) -> None:
    if (state, event) in TABLE:
        assert step(state, event) is TABLE[state, event]
    else:
        with pytest.raises(ImpossibleStep):
            step(state, event)


def test_nothing_follows_an_end_and_every_other_state_can_end() -> None:
    assert not any(state in ENDS for state, _ in TABLE)
    for state in set(JobState) - ENDS:
        assert {after for (before, _), after in TABLE.items() if before is state} & ENDS
