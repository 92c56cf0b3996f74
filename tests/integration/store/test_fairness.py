"""What is owed and what was served, and why a job went where it went, on a real database."""

from datetime import timedelta

from iamine.ids import AccountId, JobId, ModelId, WorkerId
from pool.routing.choose import NS
from pool.routing.counters import Spent
from pool.routing.history import Story, Takeover
from pool.routing.kept import Owed
from pool.routing.types import Segment, Start
from pool.store.store import Store

JOB, W, V = JobId("job_1"), WorkerId("wrk_a"), WorkerId("wrk_b")


def owed(worker: WorkerId, deficit_s: float, file: str = "f") -> Owed:
    return Owed(worker=worker, file_sha256=file, deficit_s=deficit_s)


async def test_deficits_are_kept_by_worker_and_file_and_shrink_by_half_in_a_day(store: Store) -> None:
    await store.fairness.keep_deficits([owed(W, 1.0), owed(W, -40.0, "g"), owed(V, 3.0)])
    await store.fairness.keep_deficits([owed(W, 600.0)])
    found = await store.fairness.deficits_ns(W)
    assert {file: round(ns / NS, 2) for file, ns in found.items()} == {"f": 600.0, "g": -40.0}
    assert await store.fairness.deficits_ns(WorkerId("never")) == {}
    sql = "UPDATE worker_deficit SET updated_at = updated_at - $1::interval"
    await store.database.transaction(lambda connection: connection.execute(sql, timedelta(days=1)))
    assert round((await store.fairness.deficits_ns(W))["f"] / NS) == 300


async def test_ten_thousand_deficits_are_one_statement(store: Store) -> None:
    await store.fairness.keep_deficits([owed(WorkerId(f"w{number}"), float(number % 600)) for number in range(10_000)])
    assert round((await store.fairness.deficits_ns(WorkerId("w9999")))["f"] / NS) == 399


async def test_counters_are_kept_and_what_was_spent_adds_up_over_thirty_days(store: Store) -> None:
    ann, bob = [(await store.accounts.create(name)).account for name in ("ann", "bob")]
    for counter in (10.0, 30.0):
        spent = [Spent(account=account, counter=counter, cost=10.0) for account in (ann, AccountId("acc_gone"))]
        await store.fairness.keep_spent(spent)
    assert await store.fairness.counters() == {ann: 30.0}
    assert await store.fairness.spent() == {ann: 20.0}
    await store.fairness.keep_spent([Spent(account=bob, counter=1.0, cost=5.0)])
    sql = "UPDATE account_spent SET day = day - 30 WHERE account = $1"
    await store.database.transaction(lambda connection: connection.execute(sql, ann))
    assert await store.fairness.spent() == {bob: 5.0}


async def test_a_job_is_kept_with_its_tier_its_takeovers_and_the_reasons(store: Store) -> None:
    ann = (await store.accounts.create("ann")).account
    why = "no large model for it now"
    start = Start(job=JOB, account=ann, model=ModelId("mote"), at_s=1.0, tier="small", degraded=True, tier_reason=why)
    await store.jobs.begin(start)
    takeovers = tuple(
        (choice, Takeover(worker=W, token=token, why="stalled", after_s=1.5)) for choice, token in ((0, 4), (1, 0))
    )
    story = Story(reason="largest deficit", waited_s=2.5, takeovers=takeovers)
    segments = (Segment(worker=W, start=0, stop=4), Segment(worker=V, start=4, stop=9))
    for told in (story, Story()):
        await store.jobs.finish(start, status="complete", prompt_tokens=3, completion_tokens=9, segments=segments, story=told)
    found = await store.jobs.find(JOB)
    assert found is not None
    assert (found.tier, found.degraded, found.tier_reason) == ("small", True, "no large model for it now")
    assert (found.reason, found.waited_s, found.takeovers, found.segments) == ("largest deficit", 2.5, takeovers, segments)
