"""What was asked for and does not answer."""

import pytest

from pool.openai.types import Chosen


@pytest.mark.parametrize(
    ("degraded", "missed", "wish"),
    [(False, "", ""), (True, "", "small"), (False, "big-model", "big-model"), (True, "big-model", "big-model")],
)
def test_a_wish_is_the_model_or_the_tier_that_does_not_answer(degraded: bool, missed: str, wish: str) -> None:
    assert Chosen(tier="micro", degraded=degraded, reason="", asked="small", missed=missed).wish == wish
