"""Who is told what lacks, and when."""

import pytest

from iamine.ids import AccountId, JobId, ModelId, WorkerId
from iamine.wire.messages import MAX_MODELS, CompletionWork, ModelOffer, Sampling
from pool.routing.demand import Demand
from pool.routing.effects import Lack
from pool.routing.fleet import Fleet
from pool.routing.lacks import LEAST_A_TICK, LOOK_EVERY_S, Lacks, keepers, turn
from pool.routing.patience import Patience
from pool.routing.scheduler import Scheduler
from pool.routing.types import JobOrder

A, B = ModelId("a"), ModelId("b")


def fleet(count: int, model: ModelId = A) -> Fleet:
    found = Fleet()
    for number in range(count):
        offer = ModelOffer(model=model, file_sha256="f", slots=1, context_tokens=1, vocabulary_tokens=1, decode_tps=9.0)
        found.join(WorkerId(f"w{number:03d}"), (offer,), 0.0)
    return found


def test_nobody_is_told_anything_while_nothing_lacks() -> None:
    lacks, workers = Lacks(Demand()), fleet(3)
    assert [lacks.news(workers, {}, float(now)) for now in range(30)] == [[]] * 30


def test_everybody_is_told_in_rounds_with_a_new_number_each_and_once_more_at_the_end() -> None:
    demand, workers = Demand(), fleet(2 * LEAST_A_TICK + 5)
    lacks = Lacks(demand)
    demand.asked(B, 768.0, 0.0)
    assert lacks.news(workers, {B: 1}, 0.0) == []
    ticks = [lacks.news(workers, {B: 1}, LOOK_EVERY_S + tick / 4) for tick in range(4)]
    assert [len(each) for each in ticks] == [LEAST_A_TICK, LEAST_A_TICK, 5, 0]
    assert {lack.told.serial for lack in ticks[0]} == {1} and ticks[0][0].told.models[0].model == B
    workers.leave(WorkerId("w000"))
    assert {lack.told.serial for lack in lacks.news(workers, {B: 1}, 2 * LOOK_EVERY_S)} == {2}
    told: list[Lack] = []
    for tick in range(4000):
        told += lacks.news(workers, {}, 3 * LOOK_EVERY_S + tick / 4)
    assert not any(one.lack_tps for one in told[-1].told.models), "the last word is that nothing lacks"
    assert lacks.news(workers, {}, 9e9) == [] and not lacks.figures.lacks


def test_a_worker_that_left_during_the_round_is_told_nothing() -> None:
    demand, workers = Demand(), fleet(LEAST_A_TICK + 2)
    lacks = Lacks(demand)
    demand.asked(B, 768.0, 0.0)
    lacks.news(workers, {B: 1}, 0.0)
    assert len(lacks.news(workers, {B: 1}, LOOK_EVERY_S)) == LEAST_A_TICK
    workers.leave(WorkerId(f"w{LEAST_A_TICK:03d}"))
    assert [lack.worker for lack in lacks.news(workers, {B: 1}, LOOK_EVERY_S)] == [f"w{LEAST_A_TICK + 1:03d}"]


def test_of_a_model_that_is_waited_for_one_worker_is_to_stay() -> None:
    demand, workers = Demand(), fleet(3)
    lacks = Lacks(demand)
    demand.asked(B, 768.0, 0.0)
    lacks.news(workers, {A: 1, B: 1}, 0.0)
    told = {lack.worker: lack.told.stay for lack in lacks.news(workers, {A: 1, B: 1}, LOOK_EVERY_S)}
    assert told == {"w000": True, "w001": False, "w002": False}


@pytest.mark.parametrize("among", [1, 2, 7, 100])
@pytest.mark.parametrize("part", [0.01, 0.25, 0.5, 1.0])
def test_just_the_asked_part_is_below_it_and_each_time_another(among: int, part: float) -> None:
    below = [{n for n in range(among) if turn(n, among, serial) < part} for serial in range(1, 200)]
    assert {len(each) for each in below} <= {int(part * among), int(part * among) + 1}
    assert set().union(*below) == set(range(among)), "everybody's turn comes"


def test_a_worker_that_takes_nothing_cannot_be_counted_on() -> None:
    workers = fleet(2)
    state = workers.get(WorkerId("w000"))
    assert state is not None
    state.ready = False
    assert keepers(workers, {A: 1, B: 2}) == {"w001"} and keepers(workers, {A: 0}) == frozenset()


def test_of_very_many_models_those_that_lack_most_are_told() -> None:
    demand, workers = Demand(), fleet(1)
    lacks = Lacks(demand)
    for number in range(MAX_MODELS + 20):
        demand.asked(ModelId(f"m{number:03d}"), 768.0 * (number + 1), 0.0)
    waiting = {ModelId(f"m{number:03d}"): 1 for number in range(MAX_MODELS + 20)}
    lacks.news(workers, waiting, 0.0)
    (lack,) = lacks.news(workers, waiting, LOOK_EVERY_S)
    assert len(lack.told.models) == MAX_MODELS and lack.told.models[0].model == f"m{MAX_MODELS + 19:03d}"


def order(job: str, model: ModelId, *, wish: str = "") -> JobOrder:
    return JobOrder(
        job=JobId(job),
        account=AccountId("x"),
        model=model,
        work=CompletionWork(prompt="x"),
        sampling=Sampling(max_tokens=256),
        wall_time_s=0.0,
        deadline_s=60.0,
        estimated_prompt_tokens=256,
        wish=wish,
    )


def test_the_scheduler_counts_jobs_wishes_moves_and_what_it_gives_up() -> None:
    scheduler = Scheduler(Patience(late_tick_s=1e9, idle_silence_s=1e9, busy_silence_s=1e9, stall_s=1e9))
    offer = ModelOffer(model=A, file_sha256="f", slots=9, context_tokens=1, vocabulary_tokens=1, decode_tps=9.0)
    scheduler.on_worker(WorkerId("w"), (offer,), 0.0)
    scheduler.on_job(order("served", A, wish="wished"), 0.0)
    scheduler.on_job(order("waits", B), 0.0)
    scheduler.on_missed(ModelId("unknown"), 0.0)
    scheduler.on_tick(0.0)
    told = [one for one in scheduler.on_tick(LOOK_EVERY_S) if isinstance(one, Lack)]
    assert [one.worker for one in told] == ["w"]
    figures = {one.model: one for one in scheduler.figures.models}
    assert set(figures) == {A, B, "wished", "unknown"} and figures[B].waiting == 1
    assert figures[ModelId("wished")].unmet_tps > 0 < figures[ModelId("unknown")].unmet_tps
    scheduler.on_moving(WorkerId("w"), B, 300.0, LOOK_EVERY_S)
    scheduler.on_tick(2 * LOOK_EVERY_S)
    assert {one.model: one for one in scheduler.figures.models}[B].coming_tps == 300.0
    scheduler.on_worker_gone(WorkerId("w"), 2 * LOOK_EVERY_S)
    scheduler.on_tick(61.0)
    last = {one.model: one for one in scheduler.figures.models}[B]
    assert last.coming_tps == 0.0 and last.refused_per_min > 0
