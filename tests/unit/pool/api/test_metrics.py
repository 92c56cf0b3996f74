"""Figures for Prometheus."""

import pytest
from fakes.hub import FakeHub

from pool.api.metrics import Metrics


def test_the_hubs_own_counters_are_told_with_the_prefix() -> None:
    hub = FakeHub()
    hub.queued, hub.resting = 3, 2
    text = Metrics(hub, lambda: {"zombies": 2.0}).text().decode()
    assert "iamine_hub_zombies_total 2.0" in text
    assert "iamine_queued_jobs 3.0" in text and "iamine_resting_workers 2.0" in text
    assert "_created" not in text


async def test_the_tasks_of_the_loop_are_counted() -> None:
    assert "iamine_loop_tasks 1.0" in Metrics(FakeHub(), dict).text().decode()


def test_no_figure_is_told_twice() -> None:
    text = Metrics(FakeHub(), lambda: {"tokens": 1.0, "answers": 2.0}).text().decode()
    names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(("end", "whole"), [("complete", 1), ("failed", 0), ("cut", 0)])
def test_only_whole_answers_are_timed(end: str, whole: int) -> None:
    metrics = Metrics(FakeHub(), dict)
    metrics.on_begin()
    metrics.on_end("chat", end, 0.5)
    text = metrics.text().decode()
    assert f'iamine_answers_total{{end="{end}",route="chat"}} 1.0' in text
    assert f"iamine_answer_seconds_count {whole}.0" in text
    assert "iamine_answers_running 0.0" in text
