"""Log probabilities carry bytes and alternatives."""

import math

import numpy as np
import pytest

from appliance.agent.engine.logprobs import token_logprob


def test_the_drawn_token_and_its_alternatives_have_natural_logarithms() -> None:
    raw = np.log(np.array([0.1, 0.6, 0.3], dtype=np.float32)) + 7
    found = token_logprob(raw, 2, 2, lambda t: bytes([t, 255]))
    assert (found.id, found.bytes) == (2, (2, 255))
    assert found.logprob == pytest.approx(math.log(0.3), abs=1e-5)
    assert [t.id for t in found.top] == [1, 2]
    assert found.top[0].logprob == pytest.approx(math.log(0.6), abs=1e-5)
    assert token_logprob(raw, 0, 0, lambda t: b"").top == ()
