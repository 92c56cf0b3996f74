"""Rate and time to wait."""

import pytest

from appliance.agent.fetch.rate import Rate, clock


def test_nothing_is_promised_before_anything_came() -> None:
    assert (Rate().bytes_per_s, Rate().left_s(100)) == (0.0, None)


def test_the_rate_follows_what_comes() -> None:
    rate = Rate()
    for _ in range(100):
        rate = rate.add(1000, 1.0)
    assert rate.bytes_per_s == pytest.approx(1000)
    assert rate.left_s(5000) == pytest.approx(5)
    for _ in range(100):
        rate = rate.add(3000, 1.0)
    assert rate.bytes_per_s == pytest.approx(3000, rel=0.01)


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "?"), (1e9, "?"), (0, "0:00"), (8.2, "0:09"), (309, "5:09"), (3909, "1:05:09")]
)
def test_times_for_people(seconds: float | None, text: str) -> None:
    assert clock(seconds) == text
