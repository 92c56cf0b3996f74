"""What a job's journal says at its end."""

import pytest

from iamine.ids import AccountId, JobId, ModelId, WorkerId
from iamine.wire.messages import CompletionWork, Sampling, Started
from pool.hub.journal import Journal
from pool.hub.stream import Stream
from pool.routing.types import JobOrder


@pytest.mark.parametrize(("said", "told"), [("x", "x"), ("", ""), ("never asked for", "")])
async def test_a_worker_may_only_name_a_stop_string_that_was_asked_for(said: str, told: str) -> None:
    order = JobOrder(
        job=JobId("job_1"),
        account=AccountId("a"),
        model=ModelId("m"),
        work=CompletionWork(prompt="x"),
        sampling=Sampling(max_tokens=1, stop=("x", "y")),
        wall_time_s=5.0,
        deadline_s=130.0,
    )
    journal = Journal(order=order, stream=Stream(on_cancel=lambda: None))
    journal.begun(WorkerId("wrk_1"), Started(job=order.job, epoch=1, prompt_tokens=3))
    assert journal.ended("stop", "", said).stop == told
