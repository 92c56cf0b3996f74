"""Figures for Prometheus."""

import pytest
from fakes.hub import FakeHub

from pool.api.metrics import Metrics


def test_the_hubs_own_counters_are_told_with_the_prefix() -> None:
    hub = FakeHub()
    hub.queued = 3
    text = Metrics(hub, lambda: {"zombies": 2.0}).text().decode()
    assert "iamine_zombies_total 2.0" in text
    assert "iamine_queued_jobs 3.0" in text


@pytest.mark.parametrize(("end", "whole"), [("complete", 1), ("failed", 0), ("cut", 0)])
def test_only_whole_answers_are_timed(end: str, whole: int) -> None:
    metrics = Metrics(FakeHub(), dict)
    metrics.on_begin()
    metrics.on_end("chat", end, 0.5)
    text = metrics.text().decode()
    assert f'iamine_answers_total{{end="{end}",route="chat"}} 1.0' in text
    assert f"iamine_answer_seconds_count {whole}.0" in text
    assert "iamine_answers_running 0.0" in text
