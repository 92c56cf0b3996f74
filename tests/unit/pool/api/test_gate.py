"""How many requests of one account run at once."""

import pytest

from iamine.ids import AccountId
from pool.api.gate import Gate
from pool.errors import RateLimited
from pool.routing.admission import Admission

PLENTY = Admission(requests_per_minute=1000, tokens_per_minute=1000)
ANN, BOB = AccountId("acc_ann"), AccountId("acc_bob")


def test_each_account_has_its_own_places() -> None:
    gate = Gate(2, PLENTY)
    for account in (ANN, ANN, BOB):
        gate.enter(account)
    with pytest.raises(RateLimited) as caught:
        gate.enter(ANN)
    assert caught.value.retry_after_s >= 1
    gate.leave(ANN)
    gate.enter(ANN)


def test_a_minute_has_so_many_requests_and_tokens_and_the_headers_tell_what_is_left() -> None:
    now = [0.0]
    gate = Gate(9, Admission(requests_per_minute=2, tokens_per_minute=600), clock=lambda: now[0])
    gate.enter(ANN)
    gate.spend(ANN, 100)
    gate.leave(ANN)
    gate.settle(ANN, 100, 300)
    assert gate.headers(ANN) == {
        "x-ratelimit-limit-requests": "2",
        "x-ratelimit-remaining-requests": "1",
        "x-ratelimit-reset-requests": "30.000s",
        "x-ratelimit-limit-tokens": "600",
        "x-ratelimit-remaining-tokens": "300",
        "x-ratelimit-reset-tokens": "30.000s",
    }
    gate.enter(ANN)
    with pytest.raises(RateLimited, match="tokens") as tokens:
        gate.spend(ANN, 400)
    assert tokens.value.retry_after_s == pytest.approx(10.0)
    with pytest.raises(RateLimited, match="requests") as requests:
        gate.enter(ANN)
    assert requests.value.retry_after_s == pytest.approx(30.0)
    now[0] = 30.0
    gate.enter(ANN)
    gate.spend(ANN, 400)
