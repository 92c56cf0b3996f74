"""What lacks: it lasts before it counts, it counts what is asked and what is on its way, and does not ask everybody at once."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iamine.ids import ModelId, WorkerId
from iamine.manifest import Tier
from iamine.wire.messages import ModelOffer
from pool.routing import demand as room
from pool.routing.demand import (
    DRAIN_S,
    FALL_S,
    HALF_LIFE_S,
    LEAST_GO,
    MOST_MODELS,
    PROMISE_S,
    RISE_S,
    UNSERVED_S,
    Demand,
    Figures,
    ModelFigures,
    Rate,
)
from pool.routing.fleet import Fleet

A, B = ModelId("a"), ModelId("b")
NOBODY: Mapping[ModelId, int] = {}


def offer(model: ModelId, *, tps: float = 256.0) -> ModelOffer:
    """A worker's offer that gives 384 virtual tokens a second at 256."""
    return ModelOffer(
        model=model, file_sha256=f"f-{model}", slots=1, context_tokens=1, vocabulary_tokens=1, prefill_tps=tps, decode_tps=tps
    )


def fleet(**workers: ModelId) -> Fleet:
    found = Fleet()
    for name, model in workers.items():
        found.join(WorkerId(name), (offer(model),), 0.0)
    return found


def of(figures: Figures, model: ModelId) -> ModelFigures:
    return next(one for one in figures.models if one.model == model)


def test_a_rate_is_what_came_of_late() -> None:
    rate = Rate()
    for second in range(600):
        rate.add(10.0, float(second))
    assert rate.per_s(600.0) == pytest.approx(10.0, rel=0.02)
    assert rate.per_s(600.0 + HALF_LIFE_S) == pytest.approx(5.0, rel=0.02)
    rate.add(1.0, 0.0)
    assert rate.at == 599.0, "a clock that goes back changes no time"


def test_what_nobody_serves_lacks_soon_and_what_is_served_only_when_it_lasts() -> None:
    workers = fleet(w=A)
    demand = Demand()
    for model, count in ((A, 300), (B, 1)):
        for _ in range(count):
            demand.asked(model, 768.0, 0.0)
    waiting = {A: 300, B: 1}
    figures = demand.look(workers.by_model, waiting, 0.0)
    assert not figures.lacks
    figures = demand.look(workers.by_model, waiting, UNSERVED_S)
    assert (of(figures, A).lack_tps, of(figures, B).lack_tps > 0) == (0.0, True)
    assert of(figures, B).waiting == 1 and of(figures, B).workers == 0
    figures = demand.look(workers.by_model, waiting, RISE_S)
    lacking = of(figures, A)
    assert lacking.lack_tps == pytest.approx(lacking.wanted_tps - 384.0)
    assert lacking.wanted_tps > 300 * 768.0 / DRAIN_S
    assert figures.models[0].model == A, "what lacks most comes first"


def test_a_lack_is_over_when_it_has_been_gone_for_a_while_and_not_before() -> None:
    workers, demand = fleet(w=A), Demand()
    demand.asked(B, 768.0, 0.0)
    demand.look(workers.by_model, {B: 1}, 0.0)
    assert demand.look(workers.by_model, {B: 1}, 5.0).lacks
    workers.join(WorkerId("v"), (offer(B),), 5.0)
    assert of(demand.look(workers.by_model, NOBODY, 10.0), B).lack_tps == 0.0, (
        "nothing is missing, though the state still stands"
    )
    workers.leave(WorkerId("v"))
    assert demand.look(workers.by_model, {B: 1}, 10.0 + FALL_S - 1).lacks, "it was not gone for long enough"
    workers.join(WorkerId("v"), (offer(B),), 30.0)
    for now in (40.0, 40.0 + FALL_S):
        demand.look(workers.by_model, NOBODY, now)
    workers.leave(WorkerId("v"))
    demand.asked(B, 768.0, 61.0)
    assert not demand.look(workers.by_model, {B: 1}, 61.0).lacks, "from here on it must last again"


def test_who_is_on_the_way_counts_as_there_until_the_time_is_over() -> None:
    workers, demand = fleet(w=A, v=A), Demand()
    demand.asked(B, 768.0, 0.0)
    demand.look(workers.by_model, {B: 1}, 0.0)
    assert demand.look(workers.by_model, {B: 1}, 5.0).lacks
    demand.moves(WorkerId("w"), B, 300.0, 5.0)
    told = of(demand.look(workers.by_model, {B: 1}, 6.0), B)
    assert (told.coming_tps, told.offered_tps, told.lack_tps) == (300.0, 300.0, 0.0)
    demand.moves(WorkerId("w"), B, 999.0, 7.0)
    assert of(demand.look(workers.by_model, {B: 1}, 7.0), B).coming_tps == 300.0, "a promise is taken once"
    demand.moves(WorkerId("w"), None, 0.0, 8.0)
    assert of(demand.look(workers.by_model, {B: 1}, 8.0), B).lack_tps > 0
    demand.moves(WorkerId("w"), B, -5.0, 9.0)
    assert of(demand.look(workers.by_model, {B: 1}, 9.0), B).coming_tps == 0.0
    demand.look(workers.by_model, {B: 1}, 9.0 + PROMISE_S)
    assert demand._promises == {}


def test_few_are_asked_first_and_more_while_nobody_comes() -> None:
    workers, demand = fleet(**{f"w{n}": A for n in range(100)}), Demand()
    demand.asked(B, 768.0, 0.0)
    demand.look(workers.by_model, {B: 1}, 0.0)
    asked = [of(demand.look(workers.by_model, {B: 1}, 5.0 + n), B).come for n in range(12)]
    assert asked[0] == pytest.approx(0.01) and asked[1] == pytest.approx(0.02) and asked[-1] == 1.0
    demand.moves(WorkerId("w1"), B, 1.0, 20.0)
    assert of(demand.look(workers.by_model, {B: 1}, 20.0), B).come == pytest.approx(0.01)


def test_as_many_are_asked_as_what_lacks_is_worth() -> None:
    tiers: dict[ModelId, Tier] = {B: "small"}
    workers, demand = fleet(**{f"w{n}": A for n in range(100)}), Demand(lambda model: tiers.get(model, "micro"))
    for _ in range(1000):
        demand.asked(B, 768.0, 0.0)
    demand.look(workers.by_model, {B: 100}, 0.0)
    one = of(demand.look(workers.by_model, {B: 100}, 5.0), B)
    assert one.come == pytest.approx(one.lack_tps * 3 / (100 * 384.0))


def test_with_nobody_else_all_are_asked() -> None:
    demand = Demand()
    demand.asked(B, 768.0, 0.0)
    demand.look({}, {B: 1}, 0.0)
    assert of(demand.look({}, {B: 1}, 5.0), B).come == 1.0


def test_as_many_may_go_as_are_to_spare_and_a_few_always() -> None:
    workers, demand = fleet(w=A, v=A), Demand()
    assert of(demand.look(workers.by_model, NOBODY, 0.0), A).go == 1.0
    for _ in range(1000):
        demand.asked(A, 768.0, 0.0)
    assert of(demand.look(workers.by_model, NOBODY, 0.0), A).go == LEAST_GO


def test_what_was_asked_of_a_tier_and_answered_below_it_lacks_there() -> None:
    tiers: dict[ModelId, Tier] = {B: "small"}
    workers, demand = fleet(w=A), Demand(lambda model: tiers.get(model, "micro"))
    for now in range(20):
        demand.missed("small", 768.0, float(now))
        figures = demand.look(workers.by_model, NOBODY, float(now))
    (small,) = [one for one in figures.tiers if one.lack_tps]
    assert (small.tier, small.come) == ("small", 1.0) and small.lack_tps == pytest.approx(small.unmet_tps)
    workers.join(WorkerId("v"), (offer(B),), 20.0)
    figures = demand.look(workers.by_model, NOBODY, 20.0)
    assert not figures.lacks and next(one for one in figures.tiers if one.tier == "small").spare_tps == pytest.approx(384.0)


def test_a_model_that_another_stands_in_for_is_wanted() -> None:
    demand = Demand()
    demand.missed(B, 768.0, 0.0)
    one = of(demand.look({}, NOBODY, 0.0), B)
    assert one.wanted_tps == one.unmet_tps > 0


def test_waits_and_refusals_are_told() -> None:
    demand = Demand()
    demand.asked(A, 1.0, 0.0)
    for waited_s in (1.0, 3.0):
        demand.served(A, waited_s, 0.0)
    demand.refused(A, 0.0)
    one = of(demand.look({}, NOBODY, 0.0), A)
    assert one.wait_s == pytest.approx(2.0) and one.refused_per_min > 0


def test_what_nobody_asks_for_any_more_is_forgotten_and_names_are_bounded() -> None:
    demand = Demand()
    for number in range(2 * MOST_MODELS):
        demand.asked(ModelId(f"m{number}"), 1.0, 0.0)
    assert len(demand.look({}, NOBODY, 0.0).models) == MOST_MODELS
    assert demand.look({}, NOBODY, 1e6) == Figures(tiers=demand.look({}, NOBODY, 1e6).tiers)


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.floats(0, 1e4), st.floats(0, 100)), max_size=30))
def test_figures_are_never_below_nothing_or_above_everything(events: list[tuple[str, float, float]]) -> None:
    workers, demand, now = fleet(w=A, v=B), Demand(), 0.0
    for model, work, passed_s in events:
        now += passed_s
        demand.asked(ModelId(model), work, now)
        figures = demand.look(workers.by_model, {ModelId(model): 1}, now)
        for one in figures.models:
            assert 0 <= one.come <= 1 and LEAST_GO <= one.go <= 1
            assert 0 <= one.lack_tps <= one.wanted_tps
    assert room.WORTH["micro"] < room.WORTH["xlarge"]
