"""Examinations beside each other: order, limits, and what goes wrong in one of them."""

import threading
from collections.abc import Iterator

import pytest

from appliance.agent.doctor.check import Check, ok
from appliance.agent.doctor.ward import Examination, Once, examined
from iamine.errors import IamineError


def look(*names: str) -> list[Check]:
    return [ok(name, "") for name in names]


def test_one_that_hangs_fails_alone_and_what_it_found_before_is_told() -> None:
    never = threading.Event()

    def hangs() -> Iterator[Check]:
        yield ok("first step", "")
        never.wait()

    rounds = [
        Examination(name="hangs", limit_s=0.2, look=hangs, stuck="look at the cable"),
        Examination(name="well", limit_s=60, look=lambda: look("well"), stuck=""),
    ]
    checks = list(examined(rounds))
    never.set()
    assert [(check.name, check.state) for check in checks] == [("first step", "ok"), ("hangs", "fail"), ("well", "ok")]
    assert checks[1].advice == "look at the cable"


def test_they_are_told_in_their_order_whichever_ends_first() -> None:
    second = threading.Event()

    def slow() -> list[Check]:
        second.wait(30)
        return look("a", "b")

    def quick() -> list[Check]:
        second.set()
        return look("c")

    rounds = [Examination(name=name, limit_s=60, look=each, stuck="") for name, each in (("slow", slow), ("quick", quick))]
    assert [check.name for check in examined(rounds)] == ["a", "b", "c"]


def test_an_error_is_told_with_its_own_advice_and_a_defect_as_such() -> None:
    def known() -> list[Check]:
        raise IamineError("it is so", hint="do this")

    def defect() -> list[Check]:
        raise ZeroDivisionError("oh")

    rounds = [Examination(name=each.__name__, limit_s=60, look=each, stuck="") for each in (known, defect)]
    first, second = examined(rounds)
    assert (first.state, first.found, first.advice) == ("fail", "it is so", "do this")
    assert (second.state, "ZeroDivisionError: oh" in second.found) == ("fail", True)


def test_what_several_need_is_made_once() -> None:
    made: list[int] = []
    once = Once(lambda: made.append(1) or len(made))
    threads = [threading.Thread(target=once) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (once(), made) == (1, [1])


def test_what_could_not_be_made_is_tried_again() -> None:
    answers = iter([IamineError("no"), 7])

    def make() -> object:
        answer = next(answers)
        if isinstance(answer, IamineError):
            raise answer
        return answer

    once = Once(make)
    with pytest.raises(IamineError):
        once()
    assert once() == 7
