"""Copying memory is measured."""

import pytest

from appliance.agent.probe.bandwidth import copy_bytes_per_s


@pytest.mark.parametrize("threads", [0, 1, 2])
def test_any_machine_copies_more_than_100_mb_per_second(threads: int) -> None:
    assert copy_bytes_per_s(threads, sweep_s=0.01) > 1e8
