"""Whose turn it is, as the scheduler plays it: accounts by what they were served, workers by what they are owed."""

from collections.abc import Sequence
from typing import Any

import pytest

from iamine.ids import AccountId, JobId, ModelId, WorkerId
from iamine.wire.messages import CompletionWork, ModelOffer, Sampling
from pool.routing.effects import Effect, Send
from pool.routing.patience import Patience
from pool.routing.scheduler import Scheduler
from pool.routing.types import JobOrder

M = ModelId("m")
W, V = WorkerId("w"), WorkerId("v")
J, K = JobId("j"), JobId("k")


def offer(*, slots: int = 1, context: int = 100, tps: float = 10.0) -> ModelOffer:
    return ModelOffer(
        model=M, file_sha256="f", slots=slots, context_tokens=context, vocabulary_tokens=9, prefill_tps=tps, decode_tps=tps
    )


def order(job: JobId = J, *, account: str = "a", tokens: int = 10, work: Any = None) -> JobOrder:
    return JobOrder(
        job=job, account=AccountId(account), model=M, work=work or CompletionWork(prompt="x"),
        sampling=Sampling(max_tokens=tokens), wall_time_s=0.0, deadline_s=100.0,
    )  # fmt: skip


def sends(effects: Sequence[Effect]) -> list[tuple[WorkerId, JobId, int]]:
    return [(effect.worker, effect.job, effect.epoch) for effect in effects if isinstance(effect, Send)]


def of(kind: type, effects: Sequence[Effect]) -> list[Effect]:
    return [effect for effect in effects if isinstance(effect, kind)]


@pytest.fixture
def scheduler() -> Scheduler:
    return Scheduler()


def test_an_account_pays_for_its_prompt_once_and_a_worker_for_what_it_reads(scheduler: Scheduler) -> None:
    scheduler.on_worker(W, (offer(context=100),), 0.0)
    scheduler.on_job(order(tokens=10), 0.0)
    scheduler.on_started(W, J, 1, 0.0, 1000, 20)
    scheduler.on_started(W, J, 1, 0.0, 1000, 20)
    scheduler.on_tokens(W, J, 1, 0, 4, 1.0)
    scheduler.on_worker(V, (offer(),), 1.0)
    scheduler.on_worker_gone(W, 1.0)
    scheduler.on_started(V, J, 2, 1.0, 100, 0)
    scheduler.on_tokens(V, J, 2, 4, 6, 1.0)
    scheduler.on_finished(V, J, 2, 10, 1.0)
    (spent,) = scheduler.counters.take()
    assert spent.cost == 80 + 2 * 10, "never more than the context holds, less what was cached"


def test_who_has_been_served_less_goes_next(scheduler: Scheduler) -> None:
    scheduler.on_worker(W, (offer(),), 0.0)
    scheduler.on_job(order(tokens=1000), 0.0)
    scheduler.on_started(W, J, 1, 0.0)
    scheduler.on_tokens(W, J, 1, 0, 500, 1.0)
    scheduler.on_job(order(K, account="a"), 1.0)
    scheduler.on_job(order(JobId("l"), account="b"), 1.0)
    scheduler.on_tokens(W, J, 1, 500, 1, 1.0)
    _, effects = scheduler.on_finished(W, J, 1, 501, 2.0)
    assert sends(effects) == [(W, JobId("l"), 1)], "a newcomer is lifted to what the other had then"
    scheduler.on_job(order(JobId("n"), account="b"), 3.0)
    scheduler.on_started(W, JobId("l"), 1, 3.0, 10, 0)
    scheduler.on_tokens(W, JobId("l"), 1, 0, 10, 3.0)
    _, effects = scheduler.on_finished(W, JobId("l"), 1, 10, 4.0)
    assert sends(effects) == [(W, K, 1)]


def test_a_long_conversation_goes_back_to_who_has_read_it(scheduler: Scheduler) -> None:
    long = CompletionWork(prompt="x" * 2000)
    for worker in (W, V):
        scheduler.on_worker(worker, (offer(slots=2, context=9999, tps=500.0),), 0.0)
    (first,) = of(Send, scheduler.on_job(order(work=long), 0.0))
    assert isinstance(first, Send)
    scheduler.on_started(first.worker, J, 1, 0.0, 500, 0)
    scheduler.on_tokens(first.worker, J, 1, 0, 1, 0.0)
    scheduler.on_finished(first.worker, J, 1, 1, 0.0)
    (second,) = of(Send, scheduler.on_job(order(K, work=long), 1.0))
    assert isinstance(second, Send)
    assert second.worker == first.worker and "tokens of the prompt read before" in second.reason


def test_deficits_grow_old() -> None:
    scheduler = Scheduler(Patience(late_tick_s=1e9, idle_silence_s=1e9))
    for worker in (W, V):
        scheduler.on_worker(worker, (offer(),), 0.0)
    scheduler.on_tick(0.0)
    scheduler.fleet.restore(W, {"f": 100 * 10**9})
    scheduler.fleet.restore(V, {"f": -100 * 10**9})
    scheduler.on_tick(24 * 3600.0)
    assert sorted(one.deficit_s for one in scheduler.fleet.owed()) == [-50.0, 50.0]
