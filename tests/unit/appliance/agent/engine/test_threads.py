"""Threads: one per physical core, within affinity and quota."""

import pytest

from appliance.agent.engine.threads import parse_cpu_max, thread_count, usable_threads

PAIRS = {0: "0,4", 4: "0,4", 1: "1,5", 5: "1,5"}


@pytest.mark.parametrize(
    ("allowed", "quota", "threads"),
    [
        ({0, 1, 4, 5}, None, 2),
        ({0, 4}, None, 1),
        ({0, 1, 4, 5}, 1.0, 1),
        ({0, 1, 4, 5}, 1.8, 2),
        ({0, 1, 4, 5}, 0.2, 1),
        ({8, 9}, None, 2),
        (set(), None, 1),
    ],
)
def test_threads_are_the_cores_that_may_be_used(allowed: set[int], quota: float | None, threads: int) -> None:
    assert thread_count(allowed=allowed, core_of=PAIRS, quota_cores=quota) == threads


@pytest.mark.parametrize(
    ("text", "cores"), [("200000 100000\n", 2.0), ("max 100000", None), ("", None), ("1 0", None), ("50000 100000", 0.5)]
)
def test_the_quota_is_read_from_cpu_max(text: str, cores: float | None) -> None:
    assert parse_cpu_max(text) == cores


def test_this_machine_has_at_least_one() -> None:
    assert usable_threads() >= 1
