"""Which ids go into a step, how large a piece of a prompt may be, and which slot a job takes."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.agent.engine.batching import (
    LEAST_CHUNK_TOKENS,
    Chosen,
    Idle,
    Take,
    Want,
    choose_slot,
    common,
    first_chunk,
    next_chunk,
    plan_step,
)

wants_strategy = st.lists(st.tuples(st.integers(1, 300), st.booleans()), max_size=12).map(
    lambda items: [Want(slot=n, pending=1 if d else p, decoding=d) for n, (p, d) in enumerate(items)]
)


@given(wants_strategy, st.integers(16, 512), st.integers(1, 512))
def test_decoding_sequences_always_go_on_and_the_batch_is_never_too_large(wants: list[Want], batch: int, chunk: int) -> None:
    takes = plan_step(wants, batch_tokens=batch, chunk_tokens=chunk)
    by_slot = {t.slot: t for t in takes}
    assert len(by_slot) == len(takes)
    assert sum(t.count for t in takes) <= batch
    assert all(w.slot in by_slot for w in wants if w.decoding)
    assert sum(by_slot[w.slot].count for w in wants if not w.decoding and w.slot in by_slot) <= chunk
    for want in wants:
        take = by_slot.get(want.slot)
        assert take is None or (1 <= take.count <= want.pending and take.complete == (take.count == want.pending))


@given(wants_strategy, st.integers(16, 512), st.integers(1, 512))
def test_when_anybody_wants_to_go_on_somebody_does(wants: list[Want], batch: int, chunk: int) -> None:
    assert bool(plan_step(wants, batch_tokens=batch, chunk_tokens=chunk)) == bool(wants)


def test_decoding_sequences_come_first_and_prompts_share_the_chunk_in_order() -> None:
    wants = [
        Want(slot=0, pending=30, decoding=False),
        Want(slot=1, pending=1, decoding=True),
        Want(slot=2, pending=30, decoding=False),
    ]
    assert plan_step(wants, batch_tokens=512, chunk_tokens=40) == [
        Take(slot=1, count=1, complete=True),
        Take(slot=0, count=30, complete=True),
        Take(slot=2, count=10, complete=False),
    ]


@given(st.integers(4, 512), st.floats(0.000001, 10), st.floats(0.001, 2))
def test_a_step_that_took_too_long_makes_the_next_chunk_fit(chunk: int, took_s: float, max_step_s: float) -> None:
    new = next_chunk(chunk, prompt_tokens=chunk, took_s=took_s, max_step_s=max_step_s, batch_tokens=512)
    assert LEAST_CHUNK_TOKENS <= new <= 512
    if took_s > max_step_s:
        assert new <= max(LEAST_CHUNK_TOKENS, chunk // 2 + 1)
    assert new <= 2 * chunk


def test_the_first_chunk_comes_from_the_measured_speed() -> None:
    assert first_chunk(400.0, max_step_s=0.5, batch_tokens=512) == 100
    assert first_chunk(1e6, max_step_s=0.5, batch_tokens=512) == 512
    assert first_chunk(0.1, max_step_s=0.5, batch_tokens=512) == 1


def test_a_small_prompt_says_nothing_about_larger_chunks() -> None:
    assert next_chunk(64, prompt_tokens=5, took_s=0.001, max_step_s=0.5, batch_tokens=512) == 64


def test_the_chunk_grows_while_steps_are_short_up_to_the_batch() -> None:
    assert next_chunk(64, prompt_tokens=64, took_s=0.01, max_step_s=0.5, batch_tokens=512) == 128
    assert next_chunk(400, prompt_tokens=400, took_s=0.01, max_step_s=0.5, batch_tokens=512) == 512


def test_the_slot_with_the_longest_shared_beginning_is_taken() -> None:
    idle = [Idle(slot=0, ids=[], used=0), Idle(slot=1, ids=[1, 2, 3, 4], used=5), Idle(slot=2, ids=[1, 2], used=1)]
    assert choose_slot(idle, [1, 2, 3, 4, 5, 6]) == Chosen(slot=1, common=4)


def test_the_last_id_is_computed_even_when_all_are_held() -> None:
    assert choose_slot([Idle(slot=3, ids=[1, 2, 3, 9], used=0)], [1, 2, 3]) == Chosen(slot=3, common=2)


def test_a_long_memory_is_not_given_up_for_a_few_shared_ids() -> None:
    idle = [Idle(slot=0, ids=[1, 2, *range(100, 900)], used=0), Idle(slot=1, ids=[], used=7)]
    assert choose_slot(idle, [1, 2, 3]) == Chosen(slot=1, common=0)


def test_among_equals_the_slot_unused_for_longest_is_taken() -> None:
    idle = [Idle(slot=0, ids=[7], used=4), Idle(slot=1, ids=[8], used=2), Idle(slot=2, ids=[9], used=3)]
    assert choose_slot(idle, [1, 2, 3]).slot == 1


@given(st.lists(st.integers(0, 1), max_size=40), st.lists(st.integers(0, 1), max_size=40))
def test_the_common_prefix_is_as_long_as_it_can_be(one: list[int], other: list[int]) -> None:
    length = common(one, other)
    assert one[:length] == other[:length]
    assert length == min(len(one), len(other)) or one[length] != other[length]
