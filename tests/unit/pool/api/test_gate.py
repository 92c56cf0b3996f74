"""How many requests of one account run at once."""

import pytest

from iamine.ids import AccountId
from pool.api.gate import Gate
from pool.errors import RateLimited

ANN, BOB = AccountId("acc_ann"), AccountId("acc_bob")


def test_each_account_has_its_own_places() -> None:
    gate = Gate(2)
    with gate.enter(ANN), gate.enter(ANN), gate.enter(BOB):
        with pytest.raises(RateLimited) as caught, gate.enter(ANN):
            pass
        assert caught.value.retry_after_s >= 1
    with gate.enter(ANN), gate.enter(ANN):
        pass


def test_a_place_is_free_again_after_a_failure() -> None:
    gate = Gate(1)
    for _ in range(2):
        with pytest.raises(ValueError, match="broken"), gate.enter(ANN):
            raise ValueError("broken")
