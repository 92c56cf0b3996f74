"""What is written of a job, and when: late where nothing depends on it, before the first byte where something does."""

import asyncio

import pytest
from fakes.hub import FakeHub
from fakes.records import FakeRecords

from iamine.ids import AccountId, JobId, ModelId
from pool.dispatch import told as told_module
from pool.dispatch.jobs import Jobs
from pool.dispatch.told import Told
from pool.errors import NotFound, Unavailable
from pool.routing.types import Start

ANN = AccountId("ann")


def start(number: int = 1) -> Start:
    return Start(job=JobId(f"job_{number}"), account=ANN, model=ModelId("m"), at_s=1_700_000_000.0, tier="small")


def end(told: Told, one: Start) -> "asyncio.Future[None]":
    return told.finish(one, status="complete", prompt_tokens=1, completion_tokens=2, segments=())


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(told_module, "LATE_S", 0.0)


async def test_a_job_that_is_over_in_a_moment_is_one_write() -> None:
    records = FakeRecords()
    told = Told(records, FakeHub())
    await told.begin(start(), durably=False)
    assert records.begun == [] and not told.is_kept(start().job)
    await end(told, start())
    await asyncio.sleep(0.01)
    assert [one.job for one in records.finished] == records.begun == [start().job]


async def test_a_job_that_runs_on_is_on_record_soon() -> None:
    records = FakeRecords()
    told = Told(records, FakeHub())
    await told.begin(start(1), durably=False)
    await told.begin(start(2), durably=False)
    for _ in range(9):
        await asyncio.sleep(0)
    assert records.begun == [start(1).job, start(2).job] and told.is_kept(start(1).job)
    await end(told, start(1))
    await asyncio.sleep(0)
    assert not told.is_kept(start(1).job), "nothing is remembered of what is over"


@pytest.mark.parametrize("durably", [True, False])
async def test_it_is_on_record_before_it_begins_where_that_matters_or_the_database_may_be_away(durably: bool) -> None:
    records = FakeRecords()
    records.steady = durably
    told = Told(records, FakeHub())
    await told.begin(start(), durably=durably)
    assert records.begun == [start().job] and told.is_kept(start().job)


async def test_what_cannot_be_recorded_does_not_begin() -> None:
    records = FakeRecords()
    records.away, records.steady = Unavailable("away"), False
    told = Told(records, FakeHub())
    with pytest.raises(Unavailable):
        await told.begin(start(), durably=False)
    records.away = None
    assert await told.find(start().job) is None


async def test_a_beginning_that_cannot_be_written_late_leaves_it_to_the_end(caplog: pytest.LogCaptureFixture) -> None:
    records = FakeRecords()
    records.away = Unavailable("away")
    told = Told(records, FakeHub())
    await told.begin(start(), durably=False)
    for _ in range(9):
        await asyncio.sleep(0)
    assert "could not be recorded" in caplog.text
    assert not told.is_kept(start().job)
    await end(told, start())
    assert len(records.finished) == 1


async def test_a_running_job_is_found_without_a_record_by_its_own_account_only() -> None:
    hub = FakeHub()
    told = Told(FakeRecords(), hub)
    await told.begin(start(), durably=False)
    jobs = Jobs(told, hub)
    view = await jobs.view(start().job, ANN)
    assert (view.status, view.tier, view.created_at, view.model) == ("running", "small", 1_700_000_000.0, "m")
    with pytest.raises(NotFound):
        await jobs.view(start().job, AccountId("bob"))
