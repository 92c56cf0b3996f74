"""Work in virtual tokens: what both sides count by."""

import pytest

from iamine.work import OUTPUT_COST, capacity_tps, cost


def test_a_written_token_costs_as_much_as_two_read_ones() -> None:
    assert cost(10, 0) == 10 and cost(0, 10) == 10 * OUTPUT_COST


def test_slots_add_by_their_root_and_a_faster_machine_gives_more() -> None:
    one = capacity_tps(prefill_tps=256.0, decode_tps=256.0, slots=1)
    assert one == pytest.approx(384.0), "768 virtual tokens in two seconds"
    assert capacity_tps(prefill_tps=256.0, decode_tps=256.0, slots=4) == pytest.approx(2 * one)
    assert capacity_tps(prefill_tps=512.0, decode_tps=512.0, slots=1) == pytest.approx(2 * one)
