"""One thing that was looked at, and the verdict over all."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing looked at; `advice` says what to do, "" for nothing."""

    name: str
    state: State
    found: str
    advice: str = ""


def ok(name: str, found: str) -> Check:
    """It is as it should be."""
    return Check(name=name, state="ok", found=found)


def warn(name: str, found: str, advice: str) -> Check:
    """A worker runs, but less well than it could."""
    return Check(name=name, state="warn", found=found, advice=advice)


def fail(name: str, found: str, advice: str) -> Check:
    """No worker runs like this."""
    return Check(name=name, state="fail", found=found, advice=advice)


def worst(checks: Iterable[Check]) -> State:
    """The verdict over all."""
    states = {check.state for check in checks}
    return "fail" if "fail" in states else "warn" if "warn" in states else "ok"
