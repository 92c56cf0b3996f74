"""Guesses are what came before, as many as pay on this machine for this answer."""

import random

from hypothesis import given
from hypothesis import strategies as st

from appliance.agent.engine.guessing import MOST_GUESSES, NGRAM, PRIOR_COST, PRIOR_SHARE, Lookup, StepCost, Trust, worth


def test_what_followed_the_same_words_is_guessed() -> None:
    lookup = Lookup([1, 2, 3, 4, 5, 6, 9, 1, 2, 3])
    assert lookup.guess(2) == [4, 5]
    assert lookup.guess(100) == [4, 5, 6, 9, 1, 2, 3]
    assert lookup.guess(0) == []


def test_the_last_time_counts_and_a_new_beginning_has_no_guess() -> None:
    lookup = Lookup([1, 2, 3, 7, 1, 2, 3, 8, 1, 2])
    assert lookup.guess(1) == []
    lookup.add([3])
    assert lookup.guess(2) == [8, 1]
    lookup.add([5])
    assert lookup.guess(1) == []
    assert Lookup([1]).guess(3) == []


@given(st.lists(st.integers(0, 2), max_size=60), st.integers(1, 5))
def test_a_guess_is_always_a_part_of_the_text_behind_the_same_words(ids: list[int], count: int) -> None:
    guess = Lookup(ids).guess(count)
    wanted = [ids[at + NGRAM :] for at in range(len(ids) - NGRAM) if ids[at : at + NGRAM] == ids[-NGRAM:]]
    assert bool(guess) == bool(wanted)
    if guess:
        assert wanted[-1][:count] == guess


def test_trust_follows_what_comes_true_and_recovers() -> None:
    trust = Trust()
    for _ in range(10):
        trust.told(4, 4)
    assert trust.share > 0.99
    for _ in range(10):
        trust.told(4, 0)
    assert trust.share < 0.3
    for _ in range(500):
        trust.rested()
    assert abs(trust.share - PRIOR_SHARE) < 0.01
    trust.told(1, 1)
    before = trust.share
    trust.rested()
    assert trust.share == before


def test_the_cost_of_a_further_token_is_learned_and_an_expensive_one_is_tried_again_later() -> None:
    cost = StepCost()
    cost.took(5, 1.0)
    assert cost.more == PRIOR_COST
    for _ in range(60):
        cost.took(1, 0.010)
        cost.took(5, 0.012)
    assert 0.04 < cost.more < 0.06
    for _ in range(60):
        cost.took(5, 0.050)
    assert cost.more > 0.9
    for _ in range(500):
        cost.took(1, 0.010)
    assert abs(cost.more - PRIOR_COST) < 0.05


@given(st.floats(0, 1), st.floats(0.02, 2))
def test_guesses_are_made_only_while_each_is_expected_to_pay(share: float, cost: float) -> None:
    count = worth(share, cost)
    assert 0 <= count <= MOST_GUESSES
    if count:
        assert share**count >= cost * 0.999
    if count < MOST_GUESSES:
        assert share ** (count + 1) <= cost * 1.001


def test_an_answer_that_repeats_its_prompt_is_read_off_and_one_that_does_not_costs_little() -> None:
    chance = random.Random(1)
    for repeats, least, most in ((True, 5.0, 16.0), (False, 0.0, 0.1)):
        text = [chance.randrange(5000) for _ in range(400)]
        answer = text if repeats else [chance.randrange(3) for _ in range(400)]
        lookup, trust, at, steps, wasted = Lookup(text + answer[:NGRAM]), Trust(), NGRAM, 0, 0
        while at < len(answer):
            guess = lookup.guess(worth(trust.share, 0.1 if repeats else 0.68))
            right = next((n for n, (a, b) in enumerate(zip(guess, answer[at:], strict=False)) if a != b), len(guess))
            right = min(right, len(answer) - at - 1)
            trust.told(len(guess), right) if guess else trust.rested()
            lookup.add(answer[at : at + right + 1])
            at, steps, wasted = at + right + 1, steps + 1, wasted + len(guess) - right
        assert least <= (len(answer) - NGRAM) / steps - (0 if repeats else 1) <= most
        assert wasted < 0.15 * len(answer)
