"""The measured rate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.agent.throughput import HALF_LIFE_S, Throughput


def test_nothing_measured_is_rate_zero() -> None:
    assert Throughput().rate_tps == 0


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=50), st.floats(0.001, 10))
def test_the_rate_lies_between_the_slowest_and_the_fastest_measure(tokens: list[int], seconds: float) -> None:
    measured = Throughput()
    for count in tokens:
        measured = measured.add(count, seconds)
    assert min(tokens) / seconds * 0.999 <= measured.rate_tps * max(1.0, 2 ** (seconds / HALF_LIFE_S))
    assert measured.rate_tps <= max(tokens) / seconds * 1.001


def test_the_old_fades_with_its_half_life() -> None:
    measured = Throughput().add(1000, 1.0).add(0, HALF_LIFE_S)
    assert measured.tokens == pytest.approx(500)


def test_time_that_runs_backwards_counts_as_none() -> None:
    assert Throughput().add(5, -1.0) == Throughput(tokens=5, seconds=0)
