"""Waiting before the next attempt."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.agent.backoff import BASE_S, CAP_S, LONGEST_S, delay_s

UNIFORM = st.floats(0, 1, exclude_max=True)


def test_the_first_attempt_is_made_at_once() -> None:
    assert delay_s(0, 0.9) == 0


@given(failures=st.integers(1, 10_000), random=UNIFORM)
def test_the_wait_is_jittered_and_capped(failures: int, random: float) -> None:
    assert 0 <= delay_s(failures, random) <= CAP_S


@given(failures=st.integers(1, 100), random=UNIFORM)
def test_more_failures_never_shorten_the_wait(failures: int, random: float) -> None:
    assert delay_s(failures, random) <= delay_s(failures + 1, random)


@given(failures=st.integers(0, 100), random=UNIFORM, retry_after_s=st.floats(0.001, LONGEST_S))
def test_what_the_pool_asks_for_is_the_least_wait(failures: int, random: float, retry_after_s: float) -> None:
    assert retry_after_s <= delay_s(failures, random, retry_after_s=retry_after_s) <= retry_after_s + CAP_S


def test_waits_double() -> None:
    assert [delay_s(failures, 0.5) for failures in (1, 2, 3)] == [BASE_S / 2, BASE_S, BASE_S * 2]


def test_a_pool_cannot_send_a_worker_away_for_years() -> None:
    assert delay_s(1, 0.0, retry_after_s=1e308) == LONGEST_S
