"""Classes of speed: near to what was measured, and the same for workers that are about as fast."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iamine.ids import ModelId
from iamine.wire.messages import ModelOffer
from iamine.work import cost
from pool.routing.speeds import UNMEASURED_TPS, capacity, expected_wait_s, jobs_per_s, pace

RATES = st.floats(0.01, 1e5)


def offer(prefill: float, decode: float, *, slots: int = 1, embeds: bool = False) -> ModelOffer:
    return ModelOffer(
        model=ModelId("m"),
        file_sha256="f",
        slots=slots,
        context_tokens=8,
        vocabulary_tokens=8,
        prefill_tps=prefill,
        decode_tps=decode,
        kind="embedding" if embeds else "chat",
    )


@given(RATES, RATES, st.integers(0, 9))
def test_a_class_is_within_a_tenth_of_the_decode_speed_and_a_fifth_of_the_prefill_speed(
    prefill: float, decode: float, running: int
) -> None:
    found = pace(offer(prefill, decode), running, 0)
    assert found.write_s == pytest.approx((running + 1) ** 0.5 / decode, rel=0.1)
    assert found.read_s == pytest.approx(1 / prefill, rel=0.2)


def test_a_short_answer_is_expected_where_the_prompt_is_read_faster_and_a_long_one_where_it_is_written_faster() -> None:
    reader, writer = pace(offer(1024, 16), 0, 0), pace(offer(16, 1024), 0, 0)
    assert expected_wait_s(reader, prompt_tokens=1024, output_tokens=1) == pytest.approx(1 + 1 / 16)
    assert expected_wait_s(writer, prompt_tokens=1, output_tokens=1024) == pytest.approx(1 + 1 / 16)
    assert expected_wait_s(writer, prompt_tokens=1024, output_tokens=1) > 60


@given(st.integers(2, 10**6))
def test_what_waits_to_be_read_is_rounded_up_to_a_power_of_four(tokens: int) -> None:
    counted = pace(offer(1, 1), 0, tokens).backlog_tokens
    assert tokens <= counted <= 4 * tokens
    assert pace(offer(1, 1), 0, 1).backlog_tokens == 0.0


def test_an_unmeasured_worker_counts_as_a_slow_one() -> None:
    assert pace(offer(0, 0), 0, 0) == pace(offer(UNMEASURED_TPS, UNMEASURED_TPS), 0, 0)
    assert capacity(offer(0, 0)) == capacity(offer(UNMEASURED_TPS, UNMEASURED_TPS))
    assert jobs_per_s(offer(0, 0)) == 0.0


def test_capacity_is_virtual_tokens_a_second() -> None:
    assert cost(100, 50) == 200.0
    assert capacity(offer(256, 256)) == pytest.approx(cost(256, 256) / 2)
    assert capacity(offer(256, 256, slots=4)) == pytest.approx(cost(256, 256))
    assert capacity(offer(300, 0, slots=4, embeds=True)) == pytest.approx(600)
    assert jobs_per_s(offer(1, 256, slots=4)) == 2.0
