"""Seeds and the sampling of several choices."""

from hypothesis import given
from hypothesis import strategies as st

from iamine.wire.messages import Sampling
from pool.openai.sampling import nth_sampling, positive_seed


@given(st.integers(-(2**63), 2**63 - 1))
def test_any_int64_becomes_a_seed_of_63_bits(seed: int) -> None:
    assert 0 <= positive_seed(seed) < 2**63
    assert seed < 0 or positive_seed(seed) == seed


@given(st.integers(0, 2**63 - 1))
def test_choices_draw_differently_and_the_first_is_the_seeds_own(seed: int) -> None:
    drawn = [nth_sampling(Sampling(max_tokens=0, seed=seed), i, 9) for i in range(8)]
    assert drawn[0].seed == seed
    assert len({one.seed for one in drawn}) == 8
    assert {one.max_tokens for one in drawn} == {9}
