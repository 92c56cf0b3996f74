"""When this machine works for the pool: the hours its owner set, and a pause its owner asked for. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")  # datetime.weekday() counts from Monday
EVERY_DAY = frozenset(range(7))
DAY_MINUTES = 24 * 60
LONGEST_PAUSE_S = 366 * 86400.0
UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

_DAY = "|".join(DAYS)
_ENTRY = re.compile(rf"(?:({_DAY})(?:\s*-\s*({_DAY}))?\s+)?(\d\d?):(\d\d)\s*-\s*(\d\d?):(\d\d)")
_LENGTH = re.compile(r"(\d+(?:\.\d+)?)([smhd])")


class BadHours(ValueError):
    """A text that says no hours, or no length of time; the message says how to write it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """From `start_min` to `stop_min` (minutes after midnight, local time) on `days`; past midnight if it stops first.

    A window past midnight belongs to the day on which it begins.
    """

    days: frozenset[int]
    start_min: int
    stop_min: int


Schedule = tuple[Window, ...]  # none: always


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """The owner wants the machine for himself, until this time (seconds since 1970) or, with None, until he says otherwise."""

    until_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """Why the machine does not work now, in words, and when that may change (seconds since 1970; None: unknown)."""

    reason: str
    until_s: float | None = None


def read_hours(entries: Sequence[str]) -> Schedule:
    """A schedule from lines such as "22:00-07:00", "sat 00:00-24:00" and "mon-fri 18:00-23:30". Raises BadHours."""
    return tuple(_window(entry) for entry in entries)


def read_length_s(text: str) -> float:
    """Seconds from texts such as 90s, 30m, 2h, 1h30m or 1d. Raises BadHours."""
    plain = text.strip().lower().replace(" ", "")
    parts = _LENGTH.findall(plain)
    if not parts or "".join(number + unit for number, unit in parts) != plain:
        raise BadHours(f"{text!r} is no length of time: write it as 90s, 30m, 2h, 1h30m or 1d")
    seconds = sum(float(number) * UNITS_S[unit] for number, unit in parts)
    if not 0 < seconds <= LONGEST_PAUSE_S:
        raise BadHours(f"{text!r} is not between a second and a year")
    return seconds


def may_work(now: datetime, schedule: Schedule) -> bool:
    """Whether the schedule lets the machine work at this local time; one without hours always does."""
    return not schedule or any(_holds(window, now) for window in schedule)


def opens_at(now: datetime, schedule: Schedule) -> datetime | None:
    """The first full minute after `now` at which the schedule lets the machine work; None if that is not within a week."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    starts = [
        midnight + timedelta(days=ahead, minutes=window.start_min)
        for window in schedule
        for ahead in range(8)
        if (now.weekday() + ahead) % 7 in window.days
    ]
    return min((start for start in starts if start > now), default=None)


def rest(now: datetime, pause: Pause | None, schedule: Schedule) -> Rest | None:
    """Why the machine rests at this local time (with its zone), or None when it works. The pause speaks first."""
    if pause is not None and (pause.until_s is None or now.timestamp() < pause.until_s):
        until = "" if pause.until_s is None else f" until {_clock(datetime.fromtimestamp(pause.until_s, now.tzinfo), now)}"
        return Rest(reason=f"paused by its owner{until}", until_s=pause.until_s)
    if may_work(now, schedule):
        return None
    opens = opens_at(now, schedule)
    if opens is None:
        return Rest(reason="outside its hours")
    return Rest(reason=f"outside its hours until {_clock(opens, now)}", until_s=opens.timestamp())


def check_in_s(now: datetime, pause: Pause | None) -> float:
    """Seconds until `rest` may say something else: the next full minute, or the end of the pause if that is sooner."""
    minute_s = 60.0 - now.second - now.microsecond / 1e6
    if pause is None or pause.until_s is None:
        return minute_s
    return min(minute_s, max(0.0, pause.until_s - now.timestamp()))


def _window(entry: str) -> Window:
    found = _ENTRY.fullmatch(entry.strip().lower())
    if found is None:
        raise BadHours(f'{entry!r} says no hours: write "22:00-07:00", "sat 00:00-24:00" or "mon-fri 18:00-23:30"')
    first, last, *numbers = found.groups()
    start_hour, start_minute, stop_hour, stop_minute = (int(number) for number in numbers)
    start_min, stop_min = start_hour * 60 + start_minute, stop_hour * 60 + stop_minute
    if max(start_minute, stop_minute) > 59 or start_min >= DAY_MINUTES or stop_min > DAY_MINUTES:
        raise BadHours(f"{entry!r} names a time that no day has: hours go from 00:00 to 24:00")
    if start_min == stop_min:
        raise BadHours(f'{entry!r} begins when it ends: a whole day is "00:00-24:00"')
    return Window(days=_days(first, last), start_min=start_min, stop_min=stop_min)


def _days(first: str | None, last: str | None) -> frozenset[int]:
    if first is None:
        return EVERY_DAY
    start = DAYS.index(first)
    stop = DAYS.index(last) if last else start
    return frozenset((start + ahead) % 7 for ahead in range((stop - start) % 7 + 1))


def _holds(window: Window, now: datetime) -> bool:
    minute, day = now.hour * 60 + now.minute, now.weekday()
    if window.start_min < window.stop_min:
        return day in window.days and window.start_min <= minute < window.stop_min
    return (day in window.days and minute >= window.start_min) or ((day - 1) % 7 in window.days and minute < window.stop_min)


def _clock(when: datetime, now: datetime) -> str:
    """The time of day, with the date if it is another day's."""
    return f"{when:%H:%M}" if when.date() == now.date() else f"{when:%Y-%m-%d %H:%M}"
