"""What is done about a clock, and what is told."""

import pytest

from appliance.agent.clock.verdict import FINE_S, TOLD_S, by_pool, span, unknown


@pytest.mark.parametrize("ahead_s", [0.0, FINE_S, -FINE_S])
def test_a_good_clock_is_left_alone(ahead_s: float) -> None:
    assert by_pool(ahead_s).move_s == 0.0 and not by_pool(ahead_s).message


@pytest.mark.parametrize("ahead_s", [FINE_S + 1, -(TOLD_S - 1)])
def test_a_slow_one_is_set_without_a_word(ahead_s: float) -> None:
    assert by_pool(ahead_s).move_s == ahead_s and not by_pool(ahead_s).message


def test_a_wrong_one_is_set_and_told() -> None:
    assert "3 days behind" in by_pool(3 * 86400.0).message and "2 hours ahead" in by_pool(-7200.0).message
    assert "battery" in by_pool(-7200.0).advice


def test_an_unknown_time_is_told_with_what_to_do() -> None:
    told = unknown("no pool", "set one")
    assert (told.by, told.move_s, told.advice) == ("", 0.0, "set one") and "no pool" in told.message


def test_spans_are_told_in_the_largest_unit_that_fits() -> None:
    assert [span(each) for each in (30.0, -300.0, 86400.0, 200000.0)] == ["30 seconds", "5 minutes", "24 hours", "2 days"]
