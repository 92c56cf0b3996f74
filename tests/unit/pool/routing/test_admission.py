"""How much an account may ask for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iamine.ids import AccountId
from pool.routing import admission
from pool.routing.admission import Admission, Bucket

ANN, BOB = AccountId("acc_ann"), AccountId("acc_bob")
PAUSES = st.lists(st.floats(0, 20), max_size=60)


@given(PAUSES, st.integers(1, 50))
def test_no_minute_sees_more_than_twice_the_limit_and_a_polite_client_is_never_refused(pauses: list[float], limit: int) -> None:
    """A full bucket and what flows in during the minute: that is the most."""
    rate = Admission(requests_per_minute=limit, tokens_per_minute=10**6)
    now, taken = 0.0, list[float]()
    for pause in pauses:
        now += pause
        if not rate.request(ANN, now):
            taken.append(now)
    for start in taken:
        assert sum(start <= time <= start + 60 for time in taken) <= 2 * limit
    polite = Admission(requests_per_minute=limit, tokens_per_minute=10**6)
    assert not any(polite.request(ANN, i * 60.001 / limit) for i in range(3 * limit))


@given(PAUSES, st.integers(1, 50))
def test_after_the_wait_that_is_told_the_request_is_allowed(pauses: list[float], limit: int) -> None:
    rate = Admission(requests_per_minute=limit, tokens_per_minute=10**6)
    now = 0.0
    for pause in pauses:
        now += pause / 20
        wait = rate.request(ANN, now)
        if wait:
            assert rate.request(ANN, now) == pytest.approx(wait), "a refused request takes nothing"
            now += wait + 1e-6
            assert rate.request(ANN, now) == 0


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 5000), st.integers(0, 5000)), max_size=40))
def test_what_is_told_lies_between_nothing_and_the_limit(steps: list[tuple[float, int, int]]) -> None:
    rate = Admission(requests_per_minute=10, tokens_per_minute=1000)
    now = 0.0
    for pause, estimate, used in steps:
        now += pause
        if not rate.request(ANN, now) and not rate.tokens(ANN, estimate, now):
            rate.settle(ANN, estimate, used, now)
        told = rate.left(ANN, now)
        for allowance in (told.requests, told.tokens):
            assert 0 <= allowance.remaining <= allowance.limit
            assert 0 <= allowance.reset_s <= 120.001


def test_tokens_are_taken_by_estimate_and_settled_by_use() -> None:
    rate = Admission(requests_per_minute=100, tokens_per_minute=600)
    assert rate.tokens(ANN, 100, 0.0) == 0
    assert rate.left(ANN, 0.0).tokens.remaining == 500
    rate.settle(ANN, 100, 40, 0.0)
    assert rate.left(ANN, 0.0).tokens.remaining == 560
    assert rate.tokens(ANN, 580, 0.0) == pytest.approx(2.0)
    assert rate.tokens(ANN, 580, 2.0) == 0
    assert rate.left(BOB, 2.0).tokens.remaining == 600


def test_a_long_answer_is_a_debt_that_the_next_request_waits_for() -> None:
    rate = Admission(requests_per_minute=100, tokens_per_minute=600)
    rate.settle(ANN, 0, 700, 0.0)
    assert rate.left(ANN, 0.0).tokens.remaining == 0
    assert rate.request(ANN, 0.0) == pytest.approx(10.0)
    assert rate.request(ANN, 10.0) == 0
    rate.settle(ANN, 0, 10**9, 10.0)
    assert rate.request(ANN, 10.0) == pytest.approx(60.0), "nobody is shut out for longer"


def test_a_request_larger_than_the_limit_needs_a_full_bucket() -> None:
    rate = Admission(requests_per_minute=100, tokens_per_minute=600)
    assert rate.tokens(ANN, 5000, 0.0) == 0
    assert rate.tokens(ANN, 1, 0.0) > 0


def test_a_bucket_never_overflows_nor_does_a_clock_that_goes_back_fill_it() -> None:
    bucket = Bucket(left=5, at_s=0)
    bucket.refill(60, 1000.0)
    assert bucket == Bucket(left=60, at_s=1000.0)
    bucket = Bucket(left=5, at_s=10)
    bucket.refill(60, 3.0)
    assert bucket == Bucket(left=5, at_s=10)
    assert Bucket(left=5, at_s=0).wait_s(5, 60) == 0


def test_accounts_whose_buckets_are_full_are_forgotten_when_there_are_many() -> None:
    rate = Admission(requests_per_minute=60, tokens_per_minute=600)
    for i in range(admission.MOST_IDLE):
        rate.request(AccountId(f"acc_{i}"), 0.0)
    rate.request(AccountId("acc_0"), 5.0)
    rate.request(ANN, 5.5)
    assert len(rate) == 2
