"""What a measure says about a file, and where it holds."""

from dataclasses import replace

import pytest
from fakes.machines import card, made
from hypothesis import given
from hypothesis import strategies as st

from appliance.agent.machine import EngineBuild, Hardware
from appliance.agent.verdict import (
    ENOUGH_TPS,
    MEASURE_S,
    QUICK_S,
    QUICK_TPS,
    Verdict,
    against,
    figures,
    measure_s,
    place,
    usable,
)

GB = 10**9


def verdict(sha: str = "a", **given: object) -> Verdict:
    told = {"slots": 4, "context_tokens": 1000, "prefill_tps": 500.0, "prefill_tokens": 900, "decode_tps": 30.0}
    return Verdict(model=f"model-{sha}", file_sha256=sha, at=1.0, **{**told, "expected_tps": 40.0, **given})  # type: ignore[arg-type]


SLOW, FAILED = verdict("slow", decode_tps=3.1, expected_tps=8.0), verdict("failed", failure="no memory")


@pytest.mark.parametrize(
    ("decode", "expected", "slow"),
    [(3.1, 8.0, True), (4.0, 8.0, False), (ENOUGH_TPS, 900.0, False), (19.9, 900.0, True), (0.0, 0.0, False)],
)
def test_slow_is_below_half_of_what_was_expected_and_not_fast_all_the_same(decode: float, expected: float, slow: bool) -> None:
    found = verdict(decode_tps=decode, expected_tps=expected)
    assert (found.slow, found.good) == (slow, not slow)


def test_a_failure_is_neither_slow_nor_good() -> None:
    assert (FAILED.slow, FAILED.good) == (False, False)


@given(st.lists(st.sampled_from(["new", "good", "slow", "slower", "failed"]), unique=True, max_size=5))
def test_what_nothing_speaks_against_goes_first_then_the_fastest_of_the_slow(hashes: list[str]) -> None:
    known = {"good": verdict("good"), "slow": SLOW, "slower": verdict("slower", decode_tps=1.0), "failed": FAILED}
    free = [each for each in hashes if each in ("new", "good")]
    slow = [each for each in ("slow", "slower") if each in hashes]
    assert list(usable(known, hashes)) == (free or slow[:1])


def test_what_speaks_against_a_file_is_said_in_words() -> None:
    assert against(SLOW) == "model-slow measured 3.1 tokens/s where 8.0 were expected"
    assert against(FAILED) == "model-failed did not load here (no memory)"
    assert against(verdict()) == ""


def test_figures_tell_when_the_context_was_read_in_part() -> None:
    assert figures(verdict(decode_all_tps=70.0)) == (
        "reads 500 tokens/s, writes 30.0, 70.0 with 4 answers at once; 40.0 were expected"
    )
    assert "only 30 of 900 tokens were tried" in figures(verdict(prefill_tokens=30, slots=1))
    assert "at once" not in figures(verdict(slots=1))


def machine(free: int = 8 * GB, **more: str) -> Hardware:
    return made(32 * GB, card("A", 16 * GB, free, driver="nvidia", **more))


def test_another_machine_driver_engine_or_setting_is_another_place() -> None:
    here = place(machine(), "1", "h")
    others = [
        place(made(32 * GB), "1", "h"),
        place(machine(driver_version="580"), "1", "h"),
        place(machine(), "2", "h"),
        place(machine(), "1", "other"),
        place(replace(machine(), engine=EngineBuild(variant="zen4")), "1", "h"),
    ]
    assert len({here, *others}) == 6
    assert place(machine(free=GB), "1", "h") == here, "what is free now is no property of the machine"
    assert "A, 15 GiB" in here.hardware
    assert here.driver == "cuda nvidia"


def test_a_small_model_is_measured_in_less_time() -> None:
    assert [measure_s(each) for each in (0.0, QUICK_TPS - 1, QUICK_TPS)] == [MEASURE_S, MEASURE_S, QUICK_S]
