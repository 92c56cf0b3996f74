"""Backoff of the supervisor; its processes are tested in tests/integration/up."""

from hypothesis import given
from hypothesis import strategies as st

from iamine.supervisor import FIRST_PAUSE_S, LONGEST_PAUSE_S, STEADY_S, next_failures, pause_s


@given(st.integers(min_value=1, max_value=10_000))
def test_pauses_grow_and_are_bounded(failures: int) -> None:
    assert FIRST_PAUSE_S <= pause_s(failures) <= pause_s(failures + 1) <= LONGEST_PAUSE_S


def test_the_first_pauses() -> None:
    assert [pause_s(n) for n in (1, 2, 3, 7)] == [0.2, 0.4, 0.8, 10.0]


def test_a_child_that_ran_steadily_begins_anew() -> None:
    assert next_failures(6, STEADY_S) == 1
    assert next_failures(6, STEADY_S - 1) == 7
