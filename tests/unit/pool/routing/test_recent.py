"""Who asked the same not long ago."""

from iamine.ids import AccountId
from pool.routing.recent import Recent

ANN, BOB = AccountId("acc_ann"), AccountId("acc_bob")


def test_the_same_question_of_the_same_account_within_half_a_minute() -> None:
    recent = Recent()
    assert not recent.again(ANN, "why?", 0.0)
    assert not recent.again(BOB, "why?", 1.0)
    assert not recent.again(ANN, "how?", 2.0)
    assert recent.again(ANN, "why?", 30.0)
    assert recent.again(ANN, "why?", 60.0)
    assert not recent.again(ANN, "why?", 90.1)


def test_nothing_asked_is_nothing_again() -> None:
    recent = Recent()
    assert not recent.again(ANN, "", 0.0)
    assert not recent.again(ANN, "", 0.0)


def test_what_is_old_or_too_much_is_forgotten() -> None:
    recent = Recent(within_s=10.0, most=2)
    for text in "abc":
        recent.again(ANN, text, 0.0)
    assert len(recent) == 2
    assert not recent.again(ANN, "a", 1.0)
    recent.again(ANN, "z", 20.0)
    assert len(recent) == 1
