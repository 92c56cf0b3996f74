"""Virtual-token counters: shares, turns, and nothing earned by idling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iamine.ids import AccountId
from pool.routing.counters import TURN, Counters, Spent, share

A, B, C = AccountId("a"), AccountId("b"), AccountId("c")


@given(st.floats(0, 1e12), st.floats(0, 1e12))
def test_a_share_is_bounded_and_grows_with_what_was_earned(earned: float, spent: float) -> None:
    assert 0.5 <= share(earned, spent) <= 8.0
    assert share(earned + 1, spent) >= share(earned, spent) >= share(earned, spent + 1)


def test_who_neither_earned_nor_spent_has_the_share_of_one() -> None:
    assert (share(0, 0), share(0, 1e6), share(1e9, 0), share(3, 0)) == (1.0, 0.5, 8.0, 3.0)


def test_what_is_accepted_counts_by_the_share() -> None:
    counters = Counters()
    for account in (A, B):
        counters.enter(account)
    counters.give_share(A, 4.0)
    counters.charge(A, 100.0, 0.0)
    counters.charge(B, 100.0, 0.0)
    assert (counters.key(A), counters.key(B)) == (25.0, 100.0)
    assert (counters.turn(A), counters.turn(B)) == (TURN / 4, TURN)


def test_a_pledge_counts_until_it_is_charged_or_given_back() -> None:
    counters = Counters()
    counters.enter(A)
    pledge = counters.pledge(A, 100.0)
    assert counters.key(A) == 100.0
    pledge = counters.charge(A, 30.0, pledge)
    assert (counters.key(A), pledge) == (100.0, 70.0)
    counters.release(A, pledge)
    assert counters.key(A) == 30.0
    assert counters.charge(A, 50.0, 20.0) == 0.0
    assert counters.key(A) == 80.0


def test_who_comes_back_is_lifted_to_the_least_of_those_who_are_active() -> None:
    counters = Counters()
    counters.enter(A)
    counters.enter(B)
    counters.charge(A, 500.0, 0.0)
    counters.charge(B, 300.0, 0.0)
    counters.enter(C)
    assert counters.key(C) == 300.0
    counters.leave(B)
    counters.leave(C)
    counters.enter(C)
    assert counters.key(C) == 500.0
    counters.enter(C)
    counters.leave(C)
    assert counters.key(C) == 500.0


def test_when_nobody_is_active_it_is_lifted_to_who_was_last() -> None:
    counters = Counters()
    counters.enter(A)
    counters.charge(A, 200.0, 0.0)
    counters.leave(A)
    counters.enter(B)
    assert counters.key(B) == 200.0
    counters.restore(C, counter=900.0)
    counters.restore(A, counter=1.0)
    assert (counters.key(C), counters.key(A)) == (900.0, 200.0)


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(["enter", "leave", "charge"])), max_size=60))
def test_the_lift_is_to_the_least_of_all_active_ones(steps: list[tuple[str, str]]) -> None:
    counters, jobs = Counters(), dict.fromkeys("abcd", 0)
    for number, (name, what) in enumerate(steps):
        account = AccountId(name)
        if what == "enter":
            active = [counters.key(AccountId(other)) for other in jobs if jobs[other]]
            before = counters.key(account)
            counters.enter(account)
            if not jobs[name] and active:
                assert counters.key(account) == max(before, min(active))
            jobs[name] += 1
        elif what == "leave" and jobs[name]:
            counters.leave(account)
            jobs[name] -= 1
        elif what == "charge":
            counters.charge(account, float(number), 0.0)


def test_what_changed_is_taken_once_and_can_be_put_back() -> None:
    counters = Counters()
    counters.enter(A)
    counters.charge(A, 10.0, 0.0)
    taken = counters.take()
    assert taken == (Spent(account=A, counter=10.0, cost=10.0),)
    assert counters.take() == ()
    counters.put_back(taken)
    counters.charge(A, 5.0, 0.0)
    assert counters.take() == (Spent(account=A, counter=pytest.approx(15.0), cost=pytest.approx(15.0)),)
