"""The last hour, minute by minute."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.agent.hour import MINUTES, Hour


def test_tokens_count_for_the_minute_in_which_they_came() -> None:
    hour = Hour().seen(0, 600.0).seen(60, 630.0).seen(120, 660.0)
    assert hour.minutes[-2:] == (60, 60)
    assert hour.rates_tps(690.0)[-2:] == (1.0, 2.0)
    assert hour.rates_tps(660.0)[-1] == 12.0  # the first seconds are judged as five


@given(st.lists(st.tuples(st.integers(0, 500), st.floats(0, 400)), max_size=60))
def test_nothing_is_lost_within_an_hour_and_nothing_kept_beyond(steps: list[tuple[int, float]]) -> None:
    hour, now_s, total = Hour(), 1000.0, 0
    came: list[tuple[int, int]] = []
    for tokens, passed_s in steps:
        now_s, total = now_s + passed_s, total + tokens
        hour = hour.seen(total, now_s)
        came.append((int(now_s // 60), tokens))
    last = came[-1][0] if came else 0
    assert len(hour.minutes) == MINUTES
    assert sum(hour.minutes) == sum(tokens for minute, tokens in came if minute > last - MINUTES)
