"""What is fetched, in which order."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.agent.fetch.rungs import PATIENCE_S, rungs
from appliance.agent.fit import Budget, best, fit
from iamine.manifest import load

KNOWN = [model for model in load().model if not model.bundled]
ROOMY = Budget(device="a card", gpu=True, bytes=23 * 10**9, bytes_per_s=9e11)
FAST, SLOW = 1e9, 5e6


def names(bytes_per_s: float, *at_hand: str, room: Budget = ROOMY) -> list[str]:
    return [rung.model.id for rung in rungs(room, KNOWN, at_hand, bytes_per_s=bytes_per_s)]


def test_on_a_fast_line_the_best_comes_at_once() -> None:
    assert names(FAST) == ["qwen3.6-27b"]


def test_on_a_slow_line_a_smaller_one_serves_in_the_meantime() -> None:
    first, last = rungs(ROOMY, KNOWN, (), bytes_per_s=SLOW)
    assert (first.model.id, last.model.id) == ("qwen3.5-4b", "qwen3.6-27b")
    assert "serves in the meantime: qwen3.6-27b takes about 56 minutes" in first.reason


def test_what_is_here_is_not_fetched_and_nothing_smaller_is() -> None:
    assert names(SLOW, "qwen3.6-27b") == []
    assert names(SLOW, "qwen3.5-9b") == ["qwen3.6-27b"]


def test_when_nothing_comes_in_time_the_best_comes_anyway() -> None:
    assert names(1000.0) == ["qwen3.6-27b"]


def test_a_machine_that_nothing_fits_gets_nothing() -> None:
    assert names(FAST, room=Budget(device="x", gpu=False, bytes=10**6)) == []


@given(st.integers(0, 10**11), st.floats(1e4, 1e9), st.sets(st.sampled_from([model.id for model in KNOWN])))
def test_whatever_is_fetched_fits_and_the_first_of_two_comes_in_time(memory: int, rate: float, here: set[str]) -> None:
    room = Budget(device="x", gpu=True, bytes=memory, bytes_per_s=9e11)
    found = rungs(room, KNOWN, here, bytes_per_s=rate)
    assert all(fit(rung.model, room).fits and rung.model.id not in here for rung in found)
    if found:
        assert found[-1].model is best(room, KNOWN).model
    if len(found) == 2:
        assert found[0].model.total_bytes / rate <= PATIENCE_S
        assert found[0].model.parameters < found[1].model.parameters
