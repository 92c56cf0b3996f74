"""What answers when the asked tier cannot."""

from hypothesis import given
from hypothesis import strategies as st

from iamine.ids import ModelId
from iamine.manifest import TIERS, Tier
from pool.routing.fallback import Candidate, degraded, order, pick
from pool.routing.types import ModelCard


def one(
    model: str, tier: Tier, workers: int = 1, *, context: int = 1000, tools: bool = True, wait_s: float | None = 0.0
) -> Candidate:
    card = ModelCard(
        model=ModelId(model), kind="chat", context_tokens=context, vocabulary_tokens=1,
        tool_format="hermes" if tools else "", workers=workers, created=0,
    )  # fmt: skip
    return Candidate(card=card, tier=tier, wait_s=wait_s if workers else None)


def picked(*candidates: Candidate, asked: Tier = "small", floor: Tier = "micro", tokens: int = 10, tools: bool = False) -> str:
    found = pick(candidates, asked, floor, prompt_tokens=tokens, tools=tools)
    assert found is not None
    return found.card.model


def test_the_asked_tier_then_up_then_down() -> None:
    assert order("medium", "micro") == ("medium", "large", "xlarge", "small", "micro")
    assert order("micro", "micro") == TIERS
    assert order("xlarge", "small") == ("xlarge", "large", "medium", "small", "micro")


def test_what_lies_below_the_floor_comes_last() -> None:
    assert order("micro", "medium") == ("medium", "large", "xlarge", "small", "micro")


@given(st.sampled_from(TIERS), st.sampled_from(TIERS))
def test_every_tier_is_tried_once_and_none_below_the_floor_before_one_above(asked: Tier, floor: Tier) -> None:
    tiers = order(asked, floor)
    assert sorted(tiers) == sorted(TIERS)
    below = [TIERS.index(tier) < TIERS.index(floor) for tier in tiers]
    assert below == sorted(below)


def test_a_live_model_of_the_asked_tier_answers_else_one_above_else_one_below() -> None:
    micro, small, large = one("m", "micro"), one("s", "small"), one("l", "large")
    assert picked(micro, small, large) == "s"
    assert picked(micro, one("s", "small", 0), large) == "l"
    assert picked(micro, one("s", "small", 0)) == "m"


def test_if_nothing_lives_the_best_known_is_waited_for() -> None:
    assert picked(one("m", "micro", 0), one("l", "large", 0)) == "l"
    assert pick([], "small", "micro", prompt_tokens=1, tools=False) is None


def test_a_long_wait_or_an_unknown_one_sends_to_another_tier() -> None:
    assert picked(one("m", "micro"), one("s", "small", wait_s=10.0), one("l", "large")) == "s"
    assert picked(one("m", "micro"), one("s", "small", wait_s=10.1), one("l", "large")) == "l"
    assert picked(one("m", "micro"), one("s", "small", wait_s=None), one("l", "large", wait_s=60.0)) == "m"
    assert picked(one("m", "micro", wait_s=60.0), one("s", "small", wait_s=60.0)) == "s", "then the asked one it is"


def test_a_long_wait_sends_nobody_below_the_floor_while_something_better_lives() -> None:
    busy = one("s", "small", wait_s=60.0)
    assert picked(one("m", "micro"), busy, floor="small") == "s"
    assert picked(one("m", "micro"), busy) == "m"
    assert picked(one("m", "micro"), one("s", "small", 0), floor="small") == "m"


def test_within_a_tier_the_least_wait_then_the_most_workers_then_by_name() -> None:
    assert picked(one("a", "small", 3, wait_s=2.0), one("b", "small", wait_s=1.0)) == "b"
    assert picked(one("a", "small", 1), one("b", "small", 3)) == "b"
    assert picked(one("b", "small"), one("a", "small")) == "a"


def test_a_prompt_too_long_for_those_alive_waits_for_one_with_the_room() -> None:
    assert picked(one("s", "small"), one("l", "large", context=9000), tokens=1000) == "l"
    assert picked(one("s", "small"), one("l", "large", 0, context=9000), tokens=1000) == "l"
    assert picked(one("s", "small"), tokens=1000) == "s"


def test_tools_need_a_model_that_calls_them() -> None:
    assert picked(one("s", "small", tools=False), one("m", "micro"), tools=True) == "m"
    assert picked(one("s", "small", tools=False), one("m", "micro")) == "s"


def test_degraded_is_below_what_was_asked() -> None:
    assert degraded("small", "micro")
    assert not degraded("small", "small")
    assert not degraded("small", "large")
