"""The choice of a worker: the least expected wait, told with its reason."""

from hypothesis import given
from hypothesis import strategies as st

from iamine.ids import ModelId, WorkerId
from iamine.wire.messages import ModelOffer
from pool.routing.choose import UNMEASURED_TPS, Candidate, choose, expected_wait_s


def candidate(name: str, *, prefill: float = 100.0, decode: float = 10.0, running: int = 0) -> Candidate:
    offer = ModelOffer(
        model=ModelId("m"),
        file_sha256="f",
        slots=8,
        context_tokens=8,
        vocabulary_tokens=8,
        prefill_tps=prefill,
        decode_tps=decode,
    )
    return Candidate(worker=WorkerId(name), offer=offer, running=running)


CANDIDATES = st.builds(
    candidate,
    st.text("abc", min_size=1, max_size=3),
    prefill=st.floats(0, 1e5),
    decode=st.floats(0, 1e5),
    running=st.integers(0, 8),
)


def test_nobody_is_chosen_from_nobody() -> None:
    assert choose([], prompt_tokens=1, output_tokens=1) is None


def test_a_short_answer_goes_where_the_prompt_is_read_faster_and_a_long_one_where_it_is_written_faster() -> None:
    reader, writer = candidate("reader", prefill=1000, decode=10), candidate("writer", prefill=10, decode=1000)
    short = choose([reader, writer], prompt_tokens=1000, output_tokens=1)
    long = choose([reader, writer], prompt_tokens=1, output_tokens=1000)
    assert short is not None and short.worker == "reader"
    assert long is not None and long.worker == "writer"
    assert long.reason == "least expected wait (1.10 s) of 2 with a free slot"


def test_among_equals_the_less_busy_one_is_chosen_then_the_first_by_name() -> None:
    chosen = choose([candidate("a", running=2), candidate("c"), candidate("b")], prompt_tokens=1, output_tokens=1)
    assert chosen is not None and chosen.worker == "b"


def test_an_unmeasured_worker_counts_as_a_slow_one() -> None:
    unknown = candidate("x", prefill=0, decode=0)
    slow = candidate("x", prefill=UNMEASURED_TPS, decode=UNMEASURED_TPS)
    assert expected_wait_s(unknown, prompt_tokens=5, output_tokens=5) == expected_wait_s(slow, prompt_tokens=5, output_tokens=5)


@given(st.lists(CANDIDATES, min_size=1, max_size=6), st.integers(0, 10_000), st.integers(0, 10_000))
def test_nobody_would_have_been_faster_than_the_chosen_one(candidates: list[Candidate], prompt: int, output: int) -> None:
    chosen = choose(candidates, prompt_tokens=prompt, output_tokens=output)
    assert chosen is not None
    assert chosen.wait_s == min(expected_wait_s(c, prompt_tokens=prompt, output_tokens=output) for c in candidates)
