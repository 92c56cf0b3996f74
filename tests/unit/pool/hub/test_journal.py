"""What a job's journal says at its end, and how one that an earlier pool had begun goes on."""

import itertools
from typing import Any

import msgspec
import pytest
from fakes.workers import FakeWorker

from iamine.identity import Identity
from iamine.ids import AccountId, JobId, ModelId, WorkerId, worker_id
from iamine.wire.limits import MAX_REST_CHARACTERS, MAX_TOKEN_BYTES
from iamine.wire.messages import (
    Cancel,
    ChatWork,
    CompletionWork,
    EmbeddingWork,
    Finished,
    Held,
    Job,
    Resume,
    Sampling,
    SequenceStep,
    Started,
    Step,
    Work,
)
from pool.hub import Hub
from pool.hub.catalogue import Catalogue
from pool.hub.journal import TEMPLATE_TOKENS, Journal
from pool.hub.stream import Stream
from pool.routing.adoptions import Expected
from pool.routing.patience import Patience
from pool.routing.scheduler import Scheduler
from pool.routing.types import Delta, Ended, JobOrder, Resumed, Standing


def order(**more: Any) -> JobOrder:
    return JobOrder(
        job=JobId("job_1"),
        account=AccountId("a"),
        model=ModelId("m"),
        work=CompletionWork(prompt="x"),
        sampling=Sampling(max_tokens=9, stop=("x", "y")),
        wall_time_s=5.0,
        deadline_s=130.0,
        **more,
    )


@pytest.mark.parametrize(("said", "told"), [("x", "x"), ("", ""), ("never asked for", "")])
async def test_a_worker_may_only_name_a_stop_string_that_was_asked_for(said: str, told: str) -> None:
    journal = Journal.of(order(), Stream(on_cancel=lambda: None))
    journal.begun(WorkerId("wrk_1"), Started(job=JobId("job_1"), epoch=1, prompt_tokens=3))
    assert journal.ended("stop", "", said).stop == told


async def test_no_more_text_is_taken_than_the_tokens_can_hold() -> None:
    journal = Journal.of(order(), Stream(on_cancel=lambda: None))
    assert journal.takes("x" * MAX_REST_CHARACTERS, 0)
    assert not journal.takes("x", 0)
    assert journal.takes("x" * (MAX_TOKEN_BYTES - 1), 1)
    assert not journal.takes("x", 1)


CHAT = ChatWork(messages=msgspec.Raw(b"[]"), tools=msgspec.Raw(b"[1]"), opening="\u00e4")


@pytest.mark.parametrize(
    ("work", "size"),
    [
        (CompletionWork(prompt="\u00e4"), 2),
        (CompletionWork(prompt=(1, 2, 3)), 3),
        (CHAT, 7),
        (EmbeddingWork(inputs=("ab", (1,))), 3),
    ],
)
async def test_a_prompt_has_no_more_tokens_than_bytes_beside_what_a_template_adds(work: Work, size: int) -> None:
    journal = Journal.of(order().but(work=work), Stream(on_cancel=lambda: None))
    assert journal.most_prompt_tokens == TEMPLATE_TOKENS + 2 * size


@pytest.mark.parametrize("lie", ["prompt", "text"])
async def test_a_worker_whose_figures_cannot_be_is_sent_away(lie: str) -> None:
    """Its client would pay for a prompt that nobody wrote, or the pool would keep what no model says."""
    hub = pool()
    liar = FakeWorker(hub).join()
    hub.submit(order())
    liar.say(Started(job=JobId("job_1"), epoch=1, prompt_tokens=100_000 if lie == "prompt" else 3, cached_tokens=9))
    step = SequenceStep(job=JobId("job_1"), epoch=1, index=0, ids=(1,), text="x" * 100_000)
    liar.say(Step(sequences=(step,)))
    liar.read()
    assert liar.goodbye is not None and liar.goodbye.code == "out_of_order"
    assert hub.queued == 1, "another goes on with it"


async def test_what_was_cached_is_part_of_the_prompt() -> None:
    journal = Journal.of(order(), Stream(on_cancel=lambda: None))
    begun = journal.begun(WorkerId("wrk_1"), Started(job=JobId("job_1"), epoch=1, prompt_tokens=3, cached_tokens=9))
    assert (begun.prompt_tokens, begun.cached_tokens) == (3, 3)


def pool() -> Hub:
    """A hub that has just begun, and expects a job of which no epoch was written down in time."""
    numbers = itertools.count()
    hub = Hub(
        identity=Identity.from_seed(bytes(32)),
        name="test",
        scheduler=Scheduler(Patience(late_tick_s=1e9)),
        catalogue=Catalogue(remembered=(), created=7, now=0.0),
        monotonic=lambda: 100.0,
        wall=lambda: 1e9,
        random_bytes=lambda size: next(numbers).to_bytes(size, "big"),
        on_hello=lambda _worker, _hello: None,
    )
    hub.expect(Expected(job=JobId("job_1"), epoch=0, worker=None, until_s=200.0))
    return hub


def resumed(worker: FakeWorker) -> Resumed:
    return Resumed(
        ids=(5, 6),
        givers=((worker_id(worker.identity.public_key), 0),),
        prompt_tokens=3,
        cached_tokens=1,
        file_sha256="f",
        template_sha256="t",
        prompt_sha256="p",
        epoch=1,
    )


async def test_a_lost_pools_job_goes_on_where_it_runs() -> None:
    hub = pool()
    held = Held(job=JobId("job_1"), epoch=1, file_sha256="f", first=0, tokens=3)
    unknown = Held(job=JobId("other"), epoch=4, file_sha256="f", first=0, tokens=3)
    worker = FakeWorker(hub).join(held, unknown)
    assert worker.work == [Cancel(job=JobId("other"), epoch=4)] and hub.is_held(JobId("job_1"))
    assert hub.agent_of(worker_id(worker.identity.public_key)) == "fake" and hub.agent_of(WorkerId("nobody")) == ""
    stream = hub.submit(order(resumed=resumed(worker)))
    worker.read()
    assert worker.work[1:] == [Resume(job=JobId("job_1"), epoch=1, index=2)]
    assert hub.standing(JobId("job_1")) == Standing(file_sha256="f", template_sha256="t", prompt_sha256="p")
    worker.say(Started(job=JobId("job_1"), epoch=1, prompt_tokens=3, prompt_sha256="p"))
    worker.say(Step(sequences=(SequenceStep(job=JobId("job_1"), epoch=1, index=2, ids=(7,), text="c"),)))
    worker.say(Finished(job=JobId("job_1"), epoch=1, tokens=3, reason="stop"))
    events = [event async for event in stream]
    assert events[1] == Delta(index=2, ids=(7,), text="c")
    assert isinstance(events[2], Ended) and [(s.start, s.stop) for s in events[2].segments] == [(0, 3)]
    assert (events[2].prompt_tokens, events[2].cached_tokens) == (3, 1)
    assert hub.standing(JobId("job_1")) == Standing()


async def test_without_its_worker_another_one_is_given_its_tokens() -> None:
    hub = pool()
    worker = FakeWorker(hub).join()
    hub.submit(order(resumed=resumed(worker), hold_s=60.0))
    worker.read()
    (job,) = worker.work
    assert isinstance(job, Job)
    assert (job.prefix, job.prompt_sha256, job.template_sha256, job.hold_s) == ((5, 6), "p", "t", 60.0)
    assert job.epoch > 1
