"""The index finds whom the plain scan finds, on any fleet, and the deficits that it moves sum to nothing."""

import random

import pytest

from iamine.ids import ModelId, WorkerId
from iamine.wire.messages import ModelOffer
from pool.routing.choose import NS, Ask, choose
from pool.routing.credit import charge, settle
from pool.routing.deficit import LIMIT_NS
from pool.routing.index import Decision, ModelIndex, Place
from pool.routing.prefix import Holder

M = ModelId("m")


def offer(file: str = "f", *, decode: float = 20.0, prefill: float = 200.0, slots: int = 2, context: int = 4096) -> ModelOffer:
    return ModelOffer(
        model=M,
        file_sha256=file,
        slots=slots,
        context_tokens=context,
        vocabulary_tokens=9,
        decode_tps=decode,
        prefill_tps=prefill,
    )


def seated(
    index: ModelIndex, name: str, told: ModelOffer, *, deficit_s: float = 0.0, running: int = 0, backlog: int = 0
) -> Place:
    place = Place(WorkerId(name), told, round(deficit_s * NS))
    index.add(place)
    index.seat(place, running=running, backlog_tokens=backlog, usable=True)
    return place


def any_fleet(draw: random.Random) -> ModelIndex:
    """Up to 60 workers of all speeds, some busy, some away, owed this and that."""
    index = ModelIndex()
    for number in range(draw.randint(0, 60)):
        told = offer(
            draw.choice("fg"),
            decode=draw.choice((0.0, 2.0 ** draw.uniform(0, 7))),
            prefill=draw.choice((0.0, 2.0 ** draw.uniform(3, 12))),
            slots=draw.randint(1, 4),
            context=draw.choice((1024, 4096)),
        )
        deficit_s = draw.choice((0.0, draw.uniform(-600, 600), draw.uniform(-20, 20)))
        place = Place(WorkerId(f"w{number}"), told, round(deficit_s * NS))
        index.add(place)
        backlog = draw.choice((0, 0, draw.randint(0, 5000)))
        index.seat(place, running=draw.randint(0, 4), backlog_tokens=backlog, usable=draw.random() < 0.9)
    return index


def any_ask(draw: random.Random, index: ModelIndex) -> tuple[Ask, dict[Holder, int]]:
    workers = [worker for worker, _ in index.places]
    ask = Ask(
        prompt_tokens=draw.choice((0, draw.randint(1, 400), draw.randint(1, 8000))),
        output_tokens=draw.choice((0, 1, draw.randint(1, 256))),
        file_sha256=draw.choice(("", "", "f")),
        least_context=draw.choice((0, 0, 0, 2000, 9999)),
        avoid=frozenset(draw.sample(workers, min(len(workers), draw.choice((0, 0, 1, 2))))),
    )
    cached = {holder: draw.randint(1, 6000) for holder in index.places if draw.random() < 0.1}
    return ask, cached


def owed(index: ModelIndex) -> float:
    """All deficits together, in virtual tokens."""
    return sum(place.deficit_ns / NS * place.capacity for place in index.places.values())


def test_a_decision_equals_the_full_scan_on_a_thousand_random_states() -> None:
    decided = prefixes = 0
    for seed in range(1000):
        draw = random.Random(seed)
        index = any_fleet(draw)
        for now in range(3):
            ask, cached = any_ask(draw, index)
            expected = choose(index.scan(ask, cached))
            decision = index.decide(ask, cached, float(now))
            found = None if decision is None else decision.place.worker
            assert found == (None if expected is None else expected.worker), f"seed {seed}, ask {ask}"
            if decision is None or expected is None:
                continue
            assert (decision.wait_s, decision.deficit_ns) == (pytest.approx(expected.wait_s), expected.deficit_ns), (
                f"seed {seed}"
            )
            decided += 1
            prefixes += decision.cached_tokens > 0
            charge(decision, draw.uniform(1, 2000))
            index.seat(decision.place, running=draw.randint(0, 4), backlog_tokens=0, usable=True)
            settle(decision, draw.uniform(-1000, 1000))
    assert decided > 1500 and prefixes > 150


def test_what_is_given_equals_what_is_taken() -> None:
    for seed in range(200):
        draw = random.Random(seed)
        index = any_fleet(draw)
        for place in index.places.values():
            place.shift(round(draw.uniform(-60, 60) * NS) - place.deficit_ns)
        for _ in range(10):
            ask, cached = any_ask(draw, index)
            before = owed(index)
            decision = index.decide(ask, cached, 0.0)
            if decision is not None:
                charge(decision, 50.0)
                index.seat(decision.place, running=draw.randint(0, 4), backlog_tokens=0, usable=True)
                settle(decision, draw.uniform(-50, 50))
            assert owed(index) == pytest.approx(before, abs=0.01), f"seed {seed}"


def test_whoever_was_not_near_the_best_is_owed_nothing() -> None:
    index = ModelIndex()
    fast, slow = seated(index, "fast", offer(decode=100.0)), seated(index, "slow", offer(decode=2.0))
    decision = index.decide(Ask(prompt_tokens=10, output_tokens=256), {}, 5.0)
    assert decision is not None and decision.place is fast and decision.eligible == 1
    assert decision.reason == "the only free worker near the best expected wait (2.43 s)"
    charge(decision, 500.0)
    assert slow.deficit_ns == 0 and fast.deficit_ns == 0
    assert fast.cell is not None and slow.cell is not None
    assert fast.cell.banded_at == 5.0 == index.decided_at > slow.cell.banded_at


def test_equal_workers_take_turns() -> None:
    index = ModelIndex()
    for name in "abc":
        seated(index, name, offer())
    served = []
    for _ in range(6):
        decision = index.decide(Ask(prompt_tokens=10, output_tokens=10), {}, 0.0)
        assert decision is not None
        charge(decision, 100.0)
        served.append(str(decision.place.worker))
    assert served == ["a", "b", "c", "a", "b", "c"]


def test_a_prompt_read_before_breaks_a_near_tie_and_no_more() -> None:
    index = ModelIndex()
    keeper, other = seated(index, "keeper", offer()), seated(index, "other", offer(), deficit_s=20.0)
    ask, cached = Ask(prompt_tokens=200, output_tokens=10), {(WorkerId("keeper"), "f"): 100, (WorkerId("gone"), "f"): 300}
    near = index.decide(ask, cached, 0.0)
    assert near is not None and near.place is keeper
    assert near.reason.startswith("100 tokens of the prompt read before (+0.0 s) of 2 whose expected wait (")
    other.shift(20 * NS)
    far = index.decide(ask, cached, 0.0)
    assert far is not None and far.place is other and far.reason.startswith("largest deficit (+40.0 s) of 2")


def test_who_is_near_only_by_what_it_has_read_is_credited_too() -> None:
    index = ModelIndex()
    reader = seated(index, "reader", offer(prefill=20.0))
    fast = seated(index, "fast", offer(prefill=2000.0), deficit_s=100.0)
    ask = Ask(prompt_tokens=1000, output_tokens=10)
    decision = index.decide(ask, {(WorkerId("reader"), "f"): 990}, 0.0)
    assert decision is not None and decision.place is fast and decision.added == (reader,)
    charge(decision, 100.0)
    assert reader.deficit_ns > 0 and owed(index) == pytest.approx(100 * fast.capacity)


def test_a_job_that_needs_much_context_is_nobodys_turn() -> None:
    index = ModelIndex()
    small, large = seated(index, "small", offer(context=10)), seated(index, "large", offer(context=9999))
    decision = index.decide(Ask(prompt_tokens=10, output_tokens=10, least_context=5000), {}, 0.0)
    assert decision is not None and decision.place is large
    charge(decision, 100.0)
    settle(decision, 50.0)
    assert small.deficit_ns == large.deficit_ns == 0
    assert index.decide(Ask(prompt_tokens=1, output_tokens=1, least_context=10**6), {}, 0.0) is None


def test_a_deficit_is_bounded_and_goes_along_when_a_worker_changes() -> None:
    index = ModelIndex()
    place = seated(index, "a", offer(), deficit_s=1000.0)
    assert place.deficit_ns == LIMIT_NS
    place.shift(-3 * LIMIT_NS)
    assert place.deficit_ns == -LIMIT_NS
    index.renew((WorkerId("a"), "f"), place.offer)
    assert place.cell is not None, "nothing has changed"
    index.renew((WorkerId("a"), "f"), replace_speed(place.offer, 80.0))
    index.seat(place, running=0, backlog_tokens=0, usable=False)
    assert not index.free and index.jobs_per_s == 0.0 and place.deficit_ns == -LIMIT_NS
    index.seat(place, running=0, backlog_tokens=0, usable=True)
    other = seated(index, "b", place.offer, deficit_s=600.0)
    other.shift(LIMIT_NS)
    place.shift(0)
    assert place.capacity < other.capacity * 1.01 and place.deficit_ns == -other.deficit_ns
    index.age(0.5)
    assert index.drop((WorkerId("b"), "f")).deficit_ns == LIMIT_NS // 2
    assert index.drop((WorkerId("a"), "f")).deficit_ns == -LIMIT_NS // 2
    assert not index.places and index.jobs_per_s == 0.0


def replace_speed(told: ModelOffer, decode: float) -> ModelOffer:
    values = {name: getattr(told, name) for name in told.__struct_fields__}
    return ModelOffer(**values | {"decode_tps": decode})


def test_what_nobody_else_is_there_for_is_not_settled() -> None:
    index = ModelIndex()
    first, second = seated(index, "a", offer(slots=1)), seated(index, "b", offer(slots=1))
    decision = index.decide(Ask(prompt_tokens=10, output_tokens=10), {}, 0.0)
    assert decision is not None and decision.place is first
    charge(decision, 100.0)
    before = first.deficit_ns
    for place in (first, second):
        index.seat(place, running=1, backlog_tokens=0, usable=True)
    settle(decision, 100.0)
    assert first.deficit_ns == before
    assert decision.but(eligible=1).reason.startswith("the only")
    assert isinstance(decision, Decision)
