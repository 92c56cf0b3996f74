"""A job is shown to its own account only: live from the hub, and from the record when it is over."""

import pytest
from fakes.hub import FakeHub
from fakes.records import FakeRecords

from iamine.ids import AccountId, JobId, ModelId, WorkerId
from pool.dispatch.jobs import Jobs
from pool.dispatch.told import Told
from pool.errors import NotFound
from pool.routing.history import History, Takeover
from pool.routing.types import Segment, Start

ANN, BOB, J = AccountId("ann"), AccountId("bob"), JobId("job_1")
W, V = WorkerId("w"), WorkerId("v")
START = Start(job=J, account=ANN, model=ModelId("m"), at_s=1.0, tier="small", degraded=True, tier_reason="why")


async def begun() -> tuple[Jobs, FakeRecords, FakeHub]:
    records, hub = FakeRecords(), FakeHub()
    await Told(records, hub).begin(START, durably=True)
    return Jobs(records, hub), records, hub


def moved() -> History:
    """Five tokens from W, which was lost; three from V."""
    history = History(asked_at=990.0, since=990.0)
    history.sent(W, "first", 992.0)
    history.tokens, history.prompt_tokens = 5, 7
    history.lost("stalled", 996.0)
    history.sent(V, "second", 997.0)
    history.tokens = 8
    return history


LOST = Takeover(worker=W, token=5, why="stalled", after_s=6.0)


async def test_nobody_elses_job_and_no_nonsense_is_found() -> None:
    jobs, _, _ = await begun()
    for job, account in ((J, BOB), (JobId("job_2"), ANN), (JobId("ö"), ANN), (JobId("x" * 999), ANN)):
        with pytest.raises(NotFound) as caught:
            await jobs.view(job, account)
        assert (caught.value.status, caught.value.code) == (404, "job_not_found")


async def test_a_running_job_is_told_as_it_is_now() -> None:
    jobs, _, hub = await begun()
    assert (await jobs.view(J, ANN)).status == "running"
    hub.told[J] = (History(asked_at=998.0, since=998.0),)
    waiting = await jobs.view(J, ANN)
    assert (waiting.status, waiting.waited_s, waiting.tier, waiting.degraded) == ("queued", 2.0, "small", True)
    hub.told[J] = (moved(), moved())
    view = await jobs.view(J, ANN)
    assert (view.status, view.reason, view.waited_s) == ("running", "second", 3.0)
    assert (view.prompt_tokens, view.completion_tokens) == (7, 16)
    assert view.segments == tuple(
        Segment(worker=worker, start=start, stop=stop)
        for worker, start, stop in ((W, 0, 5), (V, 5, 8), (W, 8, 13), (V, 13, 16))
    )
    assert view.takeovers == ((0, LOST), (1, LOST))


async def test_what_became_of_it_is_kept_with_its_end() -> None:
    jobs, records, hub = await begun()
    hub.told[J] = (moved(),)
    segments = (Segment(worker=V, start=0, stop=8),)
    await Told(records, hub).finish(START, status="complete", prompt_tokens=7, completion_tokens=8, segments=segments)
    hub.told.clear()
    view = await jobs.view(J, ANN)
    assert (view.status, view.reason, view.waited_s, view.takeovers) == ("complete", "second", 3.0, ((0, LOST),))
    assert view.finished_at is not None and view.segments == segments
