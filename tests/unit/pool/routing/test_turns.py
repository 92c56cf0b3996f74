"""One account cannot keep the pool's processor from the others."""

from hypothesis import given
from hypothesis import strategies as st

from iamine.ids import AccountId
from pool.routing.turns import ACTIVE_S, BURST, BUSY, LATE_S, LEAST_PER_S, MOST_PER_S, Turns

FLOOD, ANN = AccountId("acc_flood"), AccountId("acc_ann")


def late(turns: Turns, times: int = 20) -> None:
    for _ in range(times):
        turns.looked(2 * LATE_S, 0.1)


def test_while_time_is_plenty_nobody_waits() -> None:
    turns = Turns()
    turns.looked(0.0, BUSY)
    assert [turns.wait_s(name, 0.0) for name in [FLOOD] * 999 + [ANN]] == [0.0] * 1000


def test_a_processor_that_is_busy_all_the_time_is_short_too() -> None:
    turns = Turns()
    turns.looked(0.0, BUSY + 0.1)
    assert turns.rate_per_s < MOST_PER_S


def test_who_is_alone_never_waits() -> None:
    turns = Turns()
    late(turns)
    assert {turns.wait_s(FLOOD, 0.0) for _ in range(999)} == {0.0}


def test_a_flood_waits_and_who_asks_little_does_not() -> None:
    turns = Turns()
    late(turns)
    assert turns.rate_per_s == LEAST_PER_S
    turns.wait_s(ANN, 0.0)
    waits = [turns.wait_s(FLOOD, 0.0) for _ in range(64)]
    assert waits[:BURST] == [0.0] * BURST and waits == sorted(waits)
    assert waits[-1] < 64 / LEAST_PER_S
    assert turns.wait_s(ANN, 0.5) == 0.0


def test_a_flood_is_free_again_when_the_others_are_gone() -> None:
    turns = Turns()
    late(turns)
    turns.wait_s(ANN, 0.0)
    for _ in range(64):
        turns.wait_s(FLOOD, 0.1)
    assert turns.wait_s(FLOOD, 0.2) > 0
    assert turns.wait_s(FLOOD, ACTIVE_S + 0.2) == 0.0


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=200))
def test_the_rate_stays_within_its_bounds_and_comes_back(looks: list[tuple[float, float]]) -> None:
    turns = Turns()
    for late_s, busy in looks:
        turns.looked(late_s, busy)
        assert LEAST_PER_S <= turns.rate_per_s <= MOST_PER_S
    for _ in range(120):
        turns.looked(0.0, 0.0)
    assert turns.rate_per_s == MOST_PER_S
