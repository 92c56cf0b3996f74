"""The speed of each running answer."""

import pytest

from appliance.agent.slots import Slots
from iamine.ids import JobId, ModelId

A, B = (JobId("a"), 1), (JobId("b"), 1)
MOTE = ModelId("mote")


def test_the_prompt_does_not_count_and_each_has_its_own_speed() -> None:
    slots = Slots()
    slots.take(A, MOTE)
    slots.take(B, MOTE)
    slots.step({A: 1}, 100.0)
    slots.step({A: 4, B: 1}, 102.0)
    first, second = slots.told({A, B})
    assert (first.model, first.tokens, first.rate_tps) == ("mote", 5, pytest.approx(2.0))
    assert (second.tokens, second.rate_tps) == (1, 0.0)


def test_what_has_ended_is_forgotten_and_may_begin_anew() -> None:
    slots = Slots()
    slots.take(A, MOTE)
    slots.step({A: 3, B: 2}, 1.0)
    assert slots.told(()) == ()
    slots.take(A, MOTE)
    assert [each.tokens for each in slots.told({A})] == [0]
