"""What answers when the asked tier cannot."""

from hypothesis import given
from hypothesis import strategies as st

from iamine.ids import ModelId
from iamine.manifest import TIERS, Tier
from pool.routing.fallback import Candidate, Stay, above, degraded, move, order, pick
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


def moved(
    *candidates: Candidate, at: str = "s", wait_s: float | None = None, left_s: float = 90.0, named: bool = False,
    tokens: int = 10, tools: bool = False,
) -> str | None:  # fmt: skip
    stay = Stay(model=ModelId(at), wait_s=wait_s, left_s=left_s, named=named)
    found = move(candidates, stay, "small", "micro", prompt_tokens=tokens, tools=tools)
    return None if found is None else found.card.model


def test_a_job_leaves_a_model_that_nobody_serves_for_one_that_lives() -> None:
    gone = one("s", "small", 0)
    assert moved(gone, one("l", "large")) == "l"
    assert moved(gone, one("l", "large"), named=True) == "l"
    assert moved(one("l", "large")) == "l", "forgotten by now"
    assert moved(gone, one("m", "micro"), one("l", "large", 0)) == "m"
    assert moved(gone, one("l", "large", 0)) is None
    assert moved() is None


def test_it_never_leaves_for_one_that_cannot_take_it() -> None:
    gone = one("s", "small", 0, context=5)
    assert moved(gone, one("l", "large", context=9)) is None
    assert moved(one("s", "small", 0, tools=False), one("l", "large", tools=False), tools=True) is None


def test_a_long_wait_is_left_for_a_short_one_but_not_by_who_asked_for_this_very_model() -> None:
    here = one("s", "small")
    assert moved(here, one("l", "large"), wait_s=60.0) == "l"
    assert moved(here, one("l", "large"), wait_s=None) == "l"
    assert moved(here, one("l", "large"), wait_s=9.0) is None
    assert moved(here, one("l", "large", wait_s=50.0), wait_s=60.0) is None
    assert moved(here, one("l", "large", wait_s=None), wait_s=60.0) is None
    assert moved(here, one("l", "large"), wait_s=60.0, named=True) is None


def test_before_the_deadline_anything_is_better_than_nothing() -> None:
    here = one("s", "small")
    assert moved(here, one("l", "large"), wait_s=99.0, named=True) == "l"
    assert moved(here, one("l", "large"), wait_s=20.0, left_s=9.0, named=True) == "l"
    assert moved(here, one("l", "large", wait_s=50.0), wait_s=99.0, named=True) is None


@given(
    st.lists(st.tuples(st.sampled_from(TIERS), st.integers(0, 2), st.sampled_from([None, 0.0, 60.0])), max_size=5),
    st.booleans(),
)
def test_whoever_moves_moves_to_the_living_and_then_stays(known: list[tuple[Tier, int, float | None]], named: bool) -> None:
    candidates = [one(f"m{i}", tier, workers, wait_s=wait_s) for i, (tier, workers, wait_s) in enumerate(known)]
    to = moved(*candidates, at="m0", wait_s=None, named=named)
    if to is not None:
        there = next(c for c in candidates if c.card.model == to)
        assert there.card.workers and to != "m0"
        assert moved(*candidates, at=to, wait_s=there.wait_s, named=named) is None


def test_a_question_goes_to_the_largest_model_above_with_a_short_wait() -> None:
    micro, small, large = one("m", "micro"), one("s", "small"), one("l", "large")
    assert above([micro, small, large], "micro") is large
    assert above([micro, small, one("l", "large", wait_s=60.0)], "micro") is small
    assert above([micro, small, one("l", "large", 0), one("x", "xlarge", wait_s=None)], "micro") is small
    assert above([micro, small, large], "large") is None
    near, far = one("a", "large", wait_s=5.0), one("b", "large", wait_s=1.0)
    assert above([near, far], "micro") is far
