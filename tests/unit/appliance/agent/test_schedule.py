"""The owner's hours and pauses, minute by minute."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.agent.schedule import BadHours, Pause, Window, check_in_s, may_work, opens_at, read_hours, read_length_s, rest

MONDAY = datetime(2026, 11, 23, tzinfo=timezone.utc)
MINUTES = st.integers(0, 7 * 24 * 60 - 1)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """A time of the week; day 0 is Monday."""
    return MONDAY + timedelta(days=day, hours=hour, minutes=minute)


@pytest.mark.parametrize(
    ("entry", "works", "rests"),
    [
        ("09:00-17:00", [(0, 9, 0), (6, 16, 59)], [(0, 8, 59), (0, 17, 0)]),
        ("22:00-07:00", [(0, 22, 0), (0, 0, 0), (3, 6, 59)], [(0, 7, 0), (0, 21, 59)]),
        ("sat 00:00-24:00", [(5, 0, 0), (5, 23, 59)], [(4, 23, 59), (6, 0, 0)]),
        ("fri 22:00-07:00", [(4, 22, 0), (5, 6, 59)], [(4, 6, 0), (5, 7, 0), (5, 22, 0)]),
        ("Mon-Fri 18:00 - 23:30", [(0, 18, 0), (4, 23, 29)], [(5, 18, 0), (4, 23, 30)]),
        ("sat-mon 8:00-9:00", [(5, 8, 0), (6, 8, 0), (0, 8, 30)], [(1, 8, 0), (4, 8, 0)]),
        ("sun 23:00-01:00", [(6, 23, 0), (0, 0, 59)], [(0, 1, 0), (0, 23, 0)]),
    ],
)
def test_hours(entry: str, works: list[tuple[int, int, int]], rests: list[tuple[int, int, int]]) -> None:
    hours = read_hours([entry])
    assert [when for when in works if not may_work(at(*when), hours)] == []
    assert [when for when in rests if may_work(at(*when), hours)] == []


def test_without_hours_it_works_always() -> None:
    assert may_work(MONDAY, ()) and rest(MONDAY, None, ()) is None


def test_any_of_several_windows_will_do() -> None:
    hours = read_hours(["22:00-07:00", "sat 00:00-24:00"])
    assert may_work(at(5, 12), hours) and may_work(at(2, 23), hours) and not may_work(at(2, 12), hours)


@pytest.mark.parametrize("entry", ["", "22-07", "25:00-26:00", "22:00-22:00", "24:00-01:00", "12:60-13:00", "day 01:00-02:00"])
def test_what_says_no_hours_is_refused_with_how_to_write_it(entry: str) -> None:
    with pytest.raises(BadHours, match=r"\d\d:\d\d"):
        read_hours([entry])


@given(MINUTES, st.sets(st.integers(0, 6), min_size=1), st.integers(0, 1439), st.integers(0, 1440))
def test_between_now_and_the_opening_it_never_works(now_min: int, days: set[int], start: int, stop: int) -> None:
    hours = (Window(days=frozenset(days), start_min=start, stop_min=stop),) if start != stop else ()
    now = MONDAY + timedelta(minutes=now_min)
    if may_work(now, hours):
        return
    opens = opens_at(now, hours)
    assert opens is not None and may_work(opens, hours)
    minutes = int((opens - now).total_seconds()) // 60
    assert not any(may_work(now + timedelta(minutes=ahead), hours) for ahead in range(0, minutes, 7))


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("2h", 7200), ("1h30m", 5400), ("1D", 86400)])
def test_lengths_of_time(text: str, seconds: float) -> None:
    assert read_length_s(text) == seconds


@pytest.mark.parametrize("text", ["", "2", "h", "two hours", "-1h", "0s", "9999d", "1h x"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(BadHours):
        read_length_s(text)


def test_a_pause_speaks_before_the_hours_and_ends_by_itself() -> None:
    hours, now = read_hours(["00:00-12:00"]), at(0, 11)
    until = Pause(until_s=now.timestamp() + 1800)
    paused = rest(now, until, hours)
    assert paused is not None and (paused.reason, paused.until_s) == ("paused by its owner until 11:30", until.until_s)
    assert rest(at(0, 11, 30), until, hours) is None
    forever = rest(at(0, 13), Pause(), hours)
    assert forever is not None and (forever.reason, forever.until_s) == ("paused by its owner", None)


def test_a_rest_says_when_it_ends() -> None:
    hours = read_hours(["mon 10:00-11:00"])
    soon, later = rest(at(0, 9), None, hours), rest(at(1, 9), None, hours)
    assert soon is not None and (soon.reason, soon.until_s) == ("outside its hours until 10:00", at(0, 10).timestamp())
    assert later is not None and later.reason == "outside its hours until 2026-11-30 10:00"


def test_hours_that_never_come_are_told_too() -> None:
    never = rest(MONDAY, None, (Window(days=frozenset(), start_min=0, stop_min=60),))
    assert never is not None and (never.reason, never.until_s) == ("outside its hours", None)


def test_it_looks_again_at_the_next_minute_or_when_the_pause_ends() -> None:
    now = at(0, 9) + timedelta(seconds=45)
    assert check_in_s(now, None) == check_in_s(now, Pause()) == 15.0
    assert check_in_s(now, Pause(until_s=now.timestamp() + 5)) == 5.0
    assert check_in_s(now, Pause(until_s=now.timestamp() - 5)) == 0.0
