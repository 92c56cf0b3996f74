"""Drawing is a function of logits, settings and (seed, index); filters keep what they say."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hn

from appliance.agent.engine.draw import (
    NOTHING_ALLOWED,
    adjusted,
    draw,
    is_plain_greedy,
    log_total,
    top_tokens,
    uniform,
)
from iamine.wire.messages import Sampling

logits_strategy = hn.arrays(np.float32, st.integers(1, 600), elements=st.floats(-30, 30, width=32))


def log_probabilities(logits: Any) -> Any:
    """Of all tokens, in float64."""
    wide = logits.astype(np.float64) - float(logits.max())
    return wide - np.log(np.exp(wide).sum())


def sampling(**options: Any) -> Sampling:
    return Sampling(max_tokens=1, **options)


@given(st.integers(-(2**63), 2**63 - 1), st.integers(0, 10**6), st.integers(0, 1))
def test_random_numbers_depend_on_their_arguments_only(seed: int, index: int, draw_number: int) -> None:
    value = uniform(seed, index, draw_number)
    assert 0.0 <= value < 1.0
    assert value == uniform(seed, index, draw_number)
    assert value != uniform(seed, index, 1 - draw_number)
    assert value != uniform(seed, index + 1, draw_number)


def test_random_numbers_are_the_documented_ones() -> None:
    assert [uniform(0, 0, 0), uniform(-1, 5, 1)] == pytest.approx([0.0564663990004608, 0.1548085731575325], abs=0)


def test_random_numbers_are_spread_evenly() -> None:
    counts = np.histogram([uniform(3, i, 0) for i in range(4000)], bins=20, range=(0, 1))[0]
    assert counts.min() > 140
    assert counts.max() < 260


@given(logits_strategy, st.integers(0, 5))
def test_greedy_is_the_largest_logit(logits: Any, index: int) -> None:
    assert draw(logits, sampling(temperature=0.0), index) == int(np.argmax(logits))


@given(
    logits_strategy,
    st.integers(0, 10),
    st.sampled_from([0, 1, 2, 5, 300]),
    st.sampled_from([0.0, 0.1, 0.5, 0.95, 1.0]),
    st.sampled_from([0.0, 0.05, 1.0]),
    st.sampled_from([0.3, 1.0, 2.0]),
)
def test_a_drawn_token_passed_every_filter(
    logits: Any, index: int, top_k: int, top_p: float, min_p: float, temperature: float
) -> None:
    token = draw(logits, sampling(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p), index)
    probabilities = np.exp(log_probabilities(logits))
    better = probabilities[logits > logits[token]]
    assert not top_k or len(better) < top_k
    kept = np.sort(probabilities)[::-1][: top_k or None]
    assert better.sum() / kept.sum() <= top_p + 1e-6 or top_p == 1.0
    assert probabilities[token] >= min_p * probabilities.max() * (1 - 1e-6)


@given(st.integers(0, 2**32), st.sampled_from([0.5, 0.9, 0.97]))
def test_the_nucleus_is_the_same_whether_found_among_the_first_or_by_sorting_all(seed: int, top_p: float) -> None:
    logits = np.random.default_rng(seed).normal(0, 4, 900).astype(np.float32)
    allowed = set()
    for index in range(40):
        allowed.add(draw(logits, sampling(temperature=1.0, top_p=top_p, seed=seed), index))
    order = np.argsort(-logits, kind="stable")
    probabilities = np.exp(log_probabilities(logits))[order]
    nucleus = set(order[: int(np.searchsorted(np.cumsum(probabilities), top_p)) + 1].tolist())
    assert allowed <= nucleus


def test_filters_work_on_vocabularies_of_any_size() -> None:
    flat = np.zeros(900, dtype=np.float32)
    assert len({draw(flat, sampling(temperature=1.0, min_p=0.5), i) for i in range(300)}) > 200
    assert {draw(flat, sampling(temperature=1.0, top_k=2), i) for i in range(50)} == {0, 1}
    assert draw(flat[:1], sampling(temperature=1.0, top_p=0.5), 0) == 0


def test_tokens_are_drawn_as_often_as_their_probability_says() -> None:
    logits = np.log(np.array([0.5, 0.3, 0.15, 0.05], dtype=np.float32))
    drawn = np.bincount([draw(logits, sampling(temperature=1.0, seed=9), i) for i in range(4000)], minlength=4) / 4000
    assert drawn == pytest.approx([0.5, 0.3, 0.15, 0.05], abs=0.03)
    hot = np.bincount([draw(logits, sampling(temperature=5.0, seed=9), i) for i in range(4000)], minlength=4) / 4000
    assert hot[3] > 0.15


def test_a_mask_limits_the_draw_and_an_empty_one_allows_nothing() -> None:
    logits = np.array([5.0, 1.0, 0.0], dtype=np.float32)
    allowed = np.array([False, False, True])
    assert draw(logits, sampling(temperature=1.0), 0, allowed) == 2
    assert draw(logits, sampling(temperature=0.0), 0, allowed) == 2
    assert draw(logits, sampling(temperature=1.0), 0, np.zeros(3, dtype=np.bool_)) == NOTHING_ALLOWED


def test_penalties_follow_the_counts_of_the_answer() -> None:
    logits = np.array([2.0, -2.0, 1.0], dtype=np.float32)
    options = sampling(presence_penalty=0.5, frequency_penalty=0.25, repeat_penalty=2.0)
    assert adjusted(logits, options, {0: 2, 1: 1}, ()).tolist() == [0.0, -4.75, 1.0]
    assert adjusted(logits, options, {}, ()).tolist() == logits.tolist()
    assert adjusted(logits, sampling(presence_penalty=1.0), {0: 2}, ()).tolist() == [1.0, -2.0, 1.0]
    assert adjusted(logits, sampling(), {0: 3}, ()).tolist() == logits.tolist()


@pytest.mark.parametrize("least", [5e-324, 1e-40, 1e-7])
def test_numbers_below_what_float32_holds_still_give_a_token(least: float) -> None:
    logits = np.array([30.0, -30.0, 29.0], dtype=np.float32)
    options = sampling(repeat_penalty=least, temperature=1.0)
    after = adjusted(logits, options, {0: 2, 1: 1}, ())
    assert np.isfinite(after).all() and draw(after, options, 0) == 0
    assert draw(logits, sampling(temperature=least), 0) == 0


def test_bias_is_added_and_banned_tokens_are_impossible() -> None:
    logits = np.array([2.0, 1.0, 0.0], dtype=np.float32)
    assert adjusted(logits, sampling(logit_bias={2: 5.0}), {}, (0,)).tolist() == [-np.inf, 1.0, 5.0]
    assert logits.tolist() == [2.0, 1.0, 0.0]


def test_plain_greedy_is_only_what_needs_no_change_of_the_logits() -> None:
    assert is_plain_greedy(sampling(temperature=0.0, top_p=0.5, seed=4))
    changed: list[dict[str, Any]] = [
        {"temperature": 0.1},
        {"logit_bias": {1: 1.0}},
        {"ignore_eos": True},
        {"presence_penalty": 1.0},
        {"repeat_penalty": 1.1},
    ]
    assert not any(is_plain_greedy(sampling(**{"temperature": 0.0, **options})) for options in changed)


@given(logits_strategy)
def test_log_probabilities_are_those_of_the_softmax(logits: Any) -> None:
    assert logits - log_total(logits) == pytest.approx(log_probabilities(logits), abs=1e-4)


def test_top_tokens_are_ordered_and_equals_by_id() -> None:
    logprobs = np.array([-2.0, -1.0, -1.0, -5.0, -0.5], dtype=np.float32)
    assert top_tokens(logprobs, 3) == [4, 1, 2]
    assert top_tokens(logprobs, 0) == []
    assert top_tokens(logprobs, 5) == [4, 1, 2, 0, 3]


def reference(logits: Any, options: Sampling) -> list[int]:
    """The ids that may be drawn, by sorting everything in float64: what the shortcuts must agree with."""
    order = np.lexsort((np.arange(len(logits)), -logits))
    plain = np.exp(logits.astype(np.float64) - float(logits.max()))[order]
    if options.top_k:
        order, plain = order[: options.top_k], plain[: options.top_k]
    if options.top_p < 1.0:
        kept = int(np.searchsorted(np.cumsum(plain), options.top_p * plain.sum())) + 1
        order, plain = order[:kept], plain[:kept]
    return [int(i) for i in order[plain >= options.min_p]]


@pytest.mark.parametrize("words", [1, 7, 1000, 5000, 152_000])
@pytest.mark.parametrize("width", [0.5, 3.0])
@pytest.mark.parametrize("top_k", [0, 1, 40, 1000])
@pytest.mark.parametrize(("top_p", "min_p"), [(1.0, 0.1), (0.9, 0.0), (0.5, 0.02)])
def test_whole_vocabularies_are_filtered_as_by_sorting_them(
    words: int, width: float, top_k: int, top_p: float, min_p: float
) -> None:
    logits = np.random.default_rng(words + top_k).normal(0, width, words).astype(np.float32)
    options = sampling(temperature=1e6, top_k=top_k, top_p=top_p, min_p=min_p)  # so hot that every candidate is as likely
    wanted = reference(logits, options)
    drawn = [draw(logits, options, index) for index in range(30)]
    assert set(drawn) <= set(wanted)
    if len(wanted) == 1:
        assert set(drawn) == set(wanted)
    elif len(wanted) > 10:
        assert len(set(drawn)) > 5


def test_rare_words_at_the_end_of_a_large_vocabulary_are_drawn_as_often_as_they_should() -> None:
    logits = np.full(1500, -30.0, dtype=np.float32)
    logits[[3, 700, 1499]] = np.log(np.array([0.5, 0.25, 0.25], dtype=np.float32))
    drawn = np.bincount([draw(logits, sampling(temperature=1.0, seed=4), i) for i in range(4000)], minlength=1500) / 4000
    assert drawn[[3, 700, 1499]] == pytest.approx([0.5, 0.25, 0.25], abs=0.03)
    assert [draw(logits, sampling(temperature=1.0, logit_bias={}), i) for i in range(3)] == [
        draw(logits, sampling(temperature=1.0), i) for i in range(3)
    ]
