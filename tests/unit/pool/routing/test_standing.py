"""A worker without a job is told why, when that changes."""

from iamine.ids import AccountId, JobId, ModelId, WorkerId
from iamine.wire.messages import CompletionWork, ModelOffer, Sampling
from pool.routing.choose import NS
from pool.routing.effects import Inform
from pool.routing.fleet import Fleet
from pool.routing.patience import Patience
from pool.routing.scheduler import Scheduler
from pool.routing.standing import LEAST_A_TICK, Standings
from pool.routing.types import JobOrder

M = ModelId("m")


def offer(decode_tps: float = 10.0) -> ModelOffer:
    return ModelOffer(
        model=M, file_sha256="f", slots=1, context_tokens=99, vocabulary_tokens=9, decode_tps=decode_tps, prefill_tps=100.0
    )


def ask(scheduler: Scheduler, job: str, now: float) -> None:
    order = JobOrder(
        job=JobId(job), account=AccountId("a"), model=M, work=CompletionWork(prompt="x"), sampling=Sampling(max_tokens=99),
        wall_time_s=0.0, deadline_s=1e9,
    )  # fmt: skip
    scheduler.on_job(order, now)


def told(scheduler: Scheduler, now: float) -> dict[str, str]:
    """What is told by two ticks: one looks at everybody, the other begins a new round."""
    effects = scheduler.on_tick(now) + scheduler.on_tick(now)
    return {str(e.standing.worker): e.standing.reason for e in effects if isinstance(e, Inform)}


def test_why_there_is_no_job_is_told_once_and_again_when_it_changes() -> None:
    scheduler = Scheduler(Patience(late_tick_s=1e9, stall_s=1e9, busy_silence_s=1e9, idle_silence_s=1e9))
    for name, rate in (("a", 50.0), ("b", 50.0), ("slow", 1.0)):
        scheduler.on_worker(WorkerId(name), (offer(rate),), 0.0)
    assert told(scheduler, 1.0) == {"a": "idle", "b": "idle", "slow": "idle"}
    assert told(scheduler, 9.0) == {}
    ask(scheduler, "j", 10.0)
    assert told(scheduler, 11.0) == {"b": "turn", "slow": "slow"}, "and the one that works knows it"
    scheduler.on_cancel(JobId("j"), 12.0)
    scheduler.on_drain(WorkerId("slow"), 12.0)
    assert told(scheduler, 13.0) == {}, "a few seconds lie between"
    assert told(scheduler, 17.0) == {"slow": "draining"}
    scheduler.on_heartbeat(WorkerId("b"), False, 80.0)
    assert told(scheduler, 81.0) == {"b": "not_ready"}
    scheduler.on_heartbeat(WorkerId("b"), True, 90.0)
    assert told(scheduler, 91.0) == {"b": "idle"}
    scheduler.fleet.restore(WorkerId("b"), {"f": 59 * NS})
    assert told(scheduler, 101.0) == {}
    scheduler.fleet.restore(WorkerId("a"), {"f": 61 * NS})
    assert told(scheduler, 111.0) == {"a": "idle"}, "what it is owed is told again when it has changed much"


def test_it_is_said_in_words_with_what_is_owed() -> None:
    scheduler = Scheduler(Patience(late_tick_s=1e9, stall_s=1e9, busy_silence_s=1e9))
    for name, rate in (("fast", 50.0), ("near", 48.0), ("slow", 1.0)):
        scheduler.on_worker(WorkerId(name), (offer(rate),), 0.0)
    ask(scheduler, "j", 1.0)
    told = {e.standing.worker: e.standing for e in scheduler.on_tick(2.0) + scheduler.on_tick(2.0) if isinstance(e, Inform)}
    assert told[WorkerId("slow")].text.startswith("too slow for this tier: for m there were")
    assert told[WorkerId("slow")].deficit_s == 0.0 < told[WorkerId("near")].deficit_s


def test_a_few_workers_are_looked_at_each_tick_and_those_that_left_are_forgotten() -> None:
    fleet, standings = Fleet(), Standings()
    for number in range(2 * LEAST_A_TICK):
        fleet.join(WorkerId(f"w{number}"), (offer(),), 0.0)
    counts = [len(standings.news(fleet, 1.0)) for _ in range(3)]
    assert counts == [0, LEAST_A_TICK, LEAST_A_TICK]
    for number in range(2 * LEAST_A_TICK):
        if number:
            fleet.leave(WorkerId(f"w{number}"))
    assert standings.news(fleet, 1.0) == []
    standings.news(fleet, 1.0)
    assert standings._told.keys() == {"w0"}
