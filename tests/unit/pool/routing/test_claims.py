"""Claim codes: what people type is read, codes count for a while and for one worker, and guessing does not pay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iamine.ids import AccountId, WorkerId
from pool.routing import claims
from pool.routing.claims import CODE_BYTES, GRACE_S, RENEW_S, Codes, Guesses, read, shown, written

W, V = WorkerId("w"), WorkerId("v")
A, B = AccountId("a"), AccountId("b")


@given(st.binary(min_size=CODE_BYTES, max_size=CODE_BYTES))
def test_every_code_is_read_back_as_it_is_shown(drawn: bytes) -> None:
    code = written(drawn)
    assert read(shown(code)) == code and len(shown(code)) == 9
    assert claims._bytes(code) == drawn


@pytest.mark.parametrize("typed", ["7kq4-m2xn", " 7KQ4 M2XN ", "7KQ4M2XN", "7-K-Q-4-M-2-X-N"])
def test_case_spaces_and_hyphens_do_not_count(typed: str) -> None:
    assert read(typed) == "7KQ4M2XN"


def test_what_looks_alike_is_the_same() -> None:
    assert read("oil0-OIL1") == "01100111"


@pytest.mark.parametrize("typed", ["", "7KQ4-M2X", "7KQ4-M2XNN", "7KQ4-M2XU", "7KQ4-M2X!", "7KQ4-M2X\N{FULLWIDTH DIGIT ONE}"])
def test_what_can_be_no_code_is_none(typed: str) -> None:
    assert read(typed) is None


def test_a_worker_keeps_its_code_until_another_is_due_and_the_one_before_counts_a_while_longer() -> None:
    codes = Codes()
    first = codes.give(W, bytes(5), 0.0)
    assert codes.give(W, b"other", RENEW_S - 1) is first and codes.due(RENEW_S - 1) == ()
    assert codes.due(RENEW_S) == (W,)
    second = codes.give(W, b"other", RENEW_S)
    assert second.text != first.text
    assert codes.find(first.text, RENEW_S + GRACE_S - 1) == W == codes.find(second.text, RENEW_S)
    assert codes.find(first.text, RENEW_S + GRACE_S) is None
    codes.give(V, b"third", RENEW_S + GRACE_S)
    assert len(codes) == 2, "what counts no more is forgotten"
    codes.give(V, b"forth", 9e9)
    assert codes.find(second.text, RENEW_S) is None and codes.due(9e9) == ()


def test_two_workers_never_share_a_code() -> None:
    codes = Codes()
    first, second = codes.give(W, b"\xff" * 5, 0.0), codes.give(V, b"\xff" * 5, 0.0)
    assert (first.text, second.text) == ("ZZZZZZZZ", "00000000")
    assert (codes.find("ZZZZZZZZ", 0.0), codes.find("00000000", 0.0)) == (W, V)


def test_a_worker_that_is_owned_has_no_code() -> None:
    codes = Codes()
    texts = [codes.give(W, bytes([n] * 5), n * RENEW_S).text for n in range(2)]
    codes.drop(W)
    codes.drop(V)
    assert [codes.find(text, RENEW_S) for text in texts] == [None, None] and len(codes) == 0


def test_codes_are_bounded_and_the_oldest_goes() -> None:
    codes = Codes(most=2)
    texts = [codes.give(WorkerId(f"w{n}"), bytes([n] * 5), 0.0).text for n in range(3)]
    assert len(codes) == 2
    assert [codes.find(text, 0.0) for text in texts] == [None, "w1", "w2"]


def test_an_account_may_fail_a_few_times_a_minute() -> None:
    guesses = Guesses()
    for _ in range(claims.FAILURES_PER_MINUTE):
        assert guesses.wait_s(A, 0.0) == 0.0
        guesses.failed(A, 0.0)
    assert guesses.wait_s(A, 0.0) == pytest.approx(60 / claims.FAILURES_PER_MINUTE)
    assert guesses.wait_s(B, 0.0) == 0.0, "another account is not to blame"
    assert guesses.wait_s(A, 12.1) == 0.0


def test_many_accounts_together_are_limited_too() -> None:
    guesses = Guesses()
    for number in range(claims.FAILURES_PER_MINUTE_IN_ALL):
        guesses.failed(AccountId(f"a{number}"), 0.0)
    assert guesses.wait_s(AccountId("fresh"), 0.0) == pytest.approx(2.0)
    assert guesses.wait_s(AccountId("fresh"), 60.0) == 0.0


def test_accounts_that_failed_long_ago_are_forgotten() -> None:
    guesses = Guesses(most=2)
    for number in range(2):
        guesses.failed(AccountId(f"a{number}"), 0.0)
    guesses.failed(AccountId("a0"), 59.0)
    guesses.failed(AccountId("later"), 60.0)
    assert len(guesses) == 2
