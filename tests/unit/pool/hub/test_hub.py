"""The hub: a worker that breaks the rules is told why and nobody else notices; every end leaves the slots free."""

import itertools
import json
from collections.abc import Iterator

import msgspec
import pytest
from fakes.workers import FakeWorker, offer

from iamine.identity import Identity
from iamine.ids import AccountId, JobId, ModelId, WorkerId
from iamine.wire.messages import (
    Cancel,
    CompletionWork,
    Drain,
    Embedded,
    EmbeddingWork,
    Failed,
    Finished,
    Goodbye,
    Heartbeat,
    Hello,
    Job,
    ManifestUpdate,
    Models,
    Progress,
    Sampling,
    SequenceStep,
    Standing,
    Started,
    Step,
)
from pool.errors import AnswerLost, ContextTooLong, DeadlineExceeded, InvalidRequest, PoolError, RateLimited, Unavailable
from pool.hub import Hub, Stream
from pool.hub.catalogue import REMEMBER_S, Catalogue
from pool.routing.patience import Patience
from pool.routing.scheduler import Scheduler
from pool.routing.types import Begun, Delta, Ended, JobEvent, JobOrder, Prefilled, Queued, Segment, Vectors

J = JobId("j")


class Clock:
    """Time as the test tells it."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def greeted() -> list[WorkerId]:
    return []


@pytest.fixture
def hub(clock: Clock, greeted: list[WorkerId]) -> Hub:
    numbers: Iterator[int] = itertools.count()
    return Hub(
        identity=Identity.from_seed(bytes(32)),
        name="test",
        scheduler=Scheduler(Patience(late_tick_s=1e9), max_queue=1),
        catalogue=Catalogue(remembered=(), created=7, now=clock.now),
        monotonic=clock,
        wall=lambda: 1e9,
        random_bytes=lambda size: next(numbers).to_bytes(size, "big"),
        on_hello=lambda worker, _hello: greeted.append(worker),
    )


def order(job: JobId = J, *, tokens: int = 10, text: str = "x") -> JobOrder:
    return JobOrder(
        job=job,
        account=AccountId("a"),
        model=ModelId("m"),
        work=CompletionWork(prompt=text),
        sampling=Sampling(max_tokens=tokens),
        wall_time_s=5.0,
        deadline_s=130.0,
    )


def step(*ids: int, job: JobId = J, epoch: int = 1, index: int = 0, text: str = "t") -> Step:
    return Step(sequences=(SequenceStep(job=job, epoch=epoch, index=index, ids=ids, text=text),))


async def read(stream: Stream) -> list[JobEvent]:
    return [event async for event in stream]


async def test_an_answer_comes_through_with_its_worker_named(hub: Hub, greeted: list[WorkerId]) -> None:
    worker = FakeWorker(hub).join()
    stream = hub.submit(order())
    worker.read()
    (job,) = worker.work
    assert isinstance(job, Job)
    assert (job.job, job.epoch, job.prefix, job.now) == (J, 1, (), 5.0)
    worker.say(Started(job=J, epoch=1, prompt_tokens=3, cached_tokens=1, prompt_sha256="p", reasoning=True))
    worker.say(Progress(job=J, epoch=1, done_tokens=2, total_tokens=3))
    worker.say(step(1, 2))
    worker.say(Finished(job=J, epoch=1, tokens=2, reason="stop", text="!"))
    me = greeted[0]
    assert await read(stream) == [
        Begun(worker=me, epoch=1, prompt_tokens=3, cached_tokens=1, reasoning=True),
        Prefilled(done_tokens=2, total_tokens=3),
        Delta(index=0, ids=(1, 2), text="t"),
        Ended(
            reason="stop", text="!", tokens=2, prompt_tokens=3, cached_tokens=1, segments=(Segment(worker=me, start=0, stop=2),)
        ),
    ]
    assert (hub.running, hub.queued, hub.tally.completed, hub.tally.tokens) == (0, 0, 1, 2)


@pytest.mark.parametrize(("held", "sent"), [(0, 0), (6, 1), (7, 0), (8, 0)])
def test_a_worker_with_an_older_manifest_is_sent_the_pools(hub: Hub, held: int, sent: int) -> None:
    """0 is a worker that knows no such message."""
    news = ManifestUpdate(text="t", signature="s")
    hub._roster._news = (7, news)
    worker = FakeWorker(hub).knock()
    worker.say(msgspec.structs.replace(worker.hello(), manifest=held))
    assert worker.work == [news] * sent


async def test_a_lost_worker_is_replaced_in_mid_answer(hub: Hub, greeted: list[WorkerId]) -> None:
    first = FakeWorker(hub, seed=1).join()
    stream = hub.submit(order())
    first.say(Started(job=J, epoch=1, prompt_tokens=3, prompt_sha256="p"))
    first.say(step(1, 2))
    hub.disconnected(first.link)
    second = FakeWorker(hub, seed=2).join()
    (job,) = second.work
    assert isinstance(job, Job)
    assert (job.epoch, job.prefix, job.prompt_sha256) == (2, (1, 2), "p")
    first.say(step(9, index=2))
    second.say(Started(job=J, epoch=2, prompt_tokens=5))
    second.say(step(3, epoch=2, index=2))
    second.say(Finished(job=J, epoch=2, tokens=3, reason="length"))
    events = await read(stream)
    assert [event.ids for event in events if isinstance(event, Delta)] == [(1, 2), (3,)]
    assert isinstance(events[-1], Ended)
    assert events[-1].prompt_tokens == 3
    assert events[-1].segments == (
        Segment(worker=greeted[0], start=0, stop=2),
        Segment(worker=greeted[1], start=2, stop=3),
    )
    assert hub.tally.redispatched == 1


def test_a_wrong_signature_is_refused_with_a_reason_and_others_go_on(hub: Hub) -> None:
    good = FakeWorker(hub, seed=1).join()
    bad = FakeWorker(hub, seed=2).knock()
    hello = bad.hello()
    bad.say(Hello(worker_key=hello.worker_key, signature=bytes(64), hardware=hello.hardware, models=hello.models))
    assert bad.goodbye is not None
    assert (bad.goodbye.code, bad.goodbye.retry_after_s) == ("bad_signature", -1.0)
    assert bad.socket.closed
    assert not good.socket.closed and hub.workers == 1


def test_a_second_session_fences_the_first_and_takes_its_jobs(hub: Hub) -> None:
    older = FakeWorker(hub).join()
    hub.submit(order())
    newer = FakeWorker(hub).join()
    older.read()
    assert older.goodbye is not None and older.goodbye.code == "superseded" and older.socket.closed
    assert [(job.job, job.epoch) for job in newer.work if isinstance(job, Job)] == [(J, 2)]
    hub.disconnected(older.link)
    assert hub.workers == 1 and hub.running == 1


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"{}", "malformed"),
        (b"\xff", "malformed"),
        (b"x" * (8 * 1024 * 1024 + 1), "too_large"),
        (b'{"t":"knock","versions":[1],"nonce":"' + b"A" * 43 + b'="}', "out_of_order"),
        (b'{"t":"step","sequences":[{"job":"j","epoch":1,"index":5,"ids":[1]}]}', "out_of_order"),
        (b'{"t":"step","sequences":[{"job":"j","epoch":1,"index":0,"ids":[1000]}]}', "out_of_order"),
        (b'{"t":"step","sequences":[{"job":"j","epoch":1,"index":0,"ids":[-1]}]}', "out_of_order"),
        (b'{"t":"finished","job":"j","epoch":1,"tokens":9,"reason":"stop"}', "out_of_order"),
    ],
)
def test_a_worker_that_breaks_the_rules_is_told_why_and_nobody_else_notices(hub: Hub, frame: bytes, code: str) -> None:
    bad = FakeWorker(hub, seed=1).join()
    hub.submit(order())
    bad.say(Started(job=J, epoch=1, prompt_tokens=1))
    good = FakeWorker(hub, seed=2).join()
    hub.receive(bad.link, frame)
    bad.read()
    assert bad.goodbye is not None and bad.goodbye.code == code and bad.goodbye.reason
    good.read()
    assert [job.epoch for job in good.work if isinstance(job, Job)] == [2]
    assert not good.socket.closed and hub.workers == 1 and hub.tally.breaches == 1
    hub.receive(bad.link, b"nobody listens any more")


def test_a_connection_without_a_hello_is_closed_after_a_while(hub: Hub, clock: Clock) -> None:
    silent = FakeWorker(hub).knock()
    clock.now += 10.5
    hub.tick()
    silent.read()
    assert silent.goodbye is not None and silent.goodbye.code == "timeout"


def test_frames_of_another_epoch_are_counted_and_dropped(hub: Hub) -> None:
    worker = FakeWorker(hub).join()
    hub.submit(order())
    worker.say(Started(job=J, epoch=7, prompt_tokens=1))
    worker.say(step(1, epoch=0))
    worker.say(Progress(job=J, epoch=2, done_tokens=1, total_tokens=1))
    worker.say(Finished(job=JobId("other"), epoch=1, tokens=0, reason="stop"))
    worker.say(Embedded(job=JobId("other"), epoch=1, vectors=(), prompt_tokens=0))
    worker.say(Failed(job=JobId("other"), epoch=1, code="no_slot", message="", retryable=True))
    assert hub.tally.zombies == 6
    assert hub.running == 1 and worker.goodbye is None


async def test_a_reader_that_leaves_stops_the_worker_and_frees_the_slot(hub: Hub) -> None:
    worker = FakeWorker(hub).join()
    stream = hub.submit(order())
    stream.cancel()
    stream.cancel()
    worker.read()
    assert worker.work[-1] == Cancel(job=J, epoch=1)
    assert hub.running == 0 and hub.tally.cancelled == 1
    assert await read(stream) == []


async def test_vectors_come_through(hub: Hub) -> None:
    worker = FakeWorker(hub, offers=(offer(kind="embedding"),)).join()
    stream = hub.submit(
        JobOrder(
            job=J,
            account=AccountId("a"),
            model=ModelId("m"),
            work=EmbeddingWork(inputs=("x",)),
            sampling=Sampling(max_tokens=0),
            wall_time_s=0.0,
            deadline_s=130.0,
        )
    )
    worker.say(Embedded(job=J, epoch=1, vectors=((1.0,),), prompt_tokens=2))
    (event,) = await read(stream)
    assert isinstance(event, Vectors)
    assert (event.vectors, event.prompt_tokens) == (((1.0,),), 2)


@pytest.mark.parametrize(
    ("code", "error"), [("bad_grammar", InvalidRequest), ("context_overflow", ContextTooLong), ("engine_lost", AnswerLost)]
)
async def test_an_engines_no_reaches_the_reader_as_the_right_error(hub: Hub, code: str, error: type[PoolError]) -> None:
    worker = FakeWorker(hub).join()
    stream = hub.submit(order())
    for epoch in (1, 2, 3):
        failed = {"t": "failed", "job": "j", "epoch": epoch, "code": code, "message": "why", "retryable": code == "engine_lost"}
        hub.receive(worker.link, json.dumps(failed).encode())
    with pytest.raises(error):
        await read(stream)
    assert hub.running == 0 and worker.goodbye is None


async def test_waiting_is_told_and_ends_at_the_deadline(hub: Hub, clock: Clock) -> None:
    stream = hub.submit(order())
    clock.now += 20
    hub.tick()
    clock.now += 11
    hub.tick()
    assert await anext(stream) == Queued(position=1, estimate_s=None)
    with pytest.raises(DeadlineExceeded):
        await anext(stream)


async def test_a_full_queue_is_a_429_that_says_when_to_come_back(hub: Hub) -> None:
    waiting, refused = hub.submit(order()), hub.submit(order(JobId("k")))
    with pytest.raises(RateLimited) as caught:
        await anext(refused)
    assert caught.value.retry_after_s >= 1
    assert await anext(waiting) == Queued(position=1, estimate_s=None)
    assert hub.queued == 1
    assert hub.wait_s(ModelId("m")) is None, "nobody serves it"


def test_a_silent_worker_is_evicted_and_its_job_moves(hub: Hub, clock: Clock) -> None:
    silent = FakeWorker(hub, seed=1).join()
    hub.submit(order())
    clock.now += 2.0
    other = FakeWorker(hub, seed=2).join()
    clock.now += 1.0
    hub.tick()
    silent.read()
    other.read()
    assert silent.goodbye is not None and silent.goodbye.code == "silent"
    assert [job.epoch for job in other.work if isinstance(job, Job)] == [2]
    assert hub.tally.evictions == 1


def test_a_worker_says_what_it_can_do_now(hub: Hub) -> None:
    worker = FakeWorker(hub).join()
    worker.say(Heartbeat(running=0, ready=False))
    hub.submit(order())
    assert hub.queued == 1
    worker.say(Models(models=(offer(slots=2), offer("n", file="g"))))
    assert [card.model for card in hub.models()] == ["m", "n"]
    worker.say(Heartbeat(running=0, ready=True))
    assert hub.running == 1
    worker.say(Drain())
    hub.submit(order(JobId("k")))
    assert hub.queued == 1


def test_a_worker_that_says_goodbye_is_forgotten_at_once(hub: Hub) -> None:
    worker = FakeWorker(hub).join()
    hub.submit(order())
    worker.say(Goodbye(code="bye", reason="enough"))
    assert (hub.workers, hub.queued, worker.socket.closed) == (0, 1, True)


async def test_a_request_too_large_for_the_wire_is_the_clients_error(hub: Hub) -> None:
    FakeWorker(hub).join()
    stream = hub.submit(order(text="x" * (9 * 1024 * 1024)))
    with pytest.raises(ContextTooLong):
        await read(stream)
    assert hub.running == 0


async def test_a_pool_that_stops_tells_workers_and_readers(hub: Hub) -> None:
    worker = FakeWorker(hub).join()
    stream = hub.submit(order())
    hub.close()
    worker.read()
    assert worker.goodbye is not None and worker.goodbye.retry_after_s == 1.0
    for one in (stream, hub.submit(order(JobId("late")))):
        with pytest.raises(Unavailable):
            await read(one)


async def test_a_slow_reader_finds_what_waited_joined(hub: Hub) -> None:
    worker = FakeWorker(hub).join()
    stream = hub.submit(order())
    worker.say(Started(job=J, epoch=1, prompt_tokens=1))
    for index in range(5):
        worker.say(step(index, index=index, text=str(index)))
    worker.say(Finished(job=J, epoch=1, tokens=5, reason="length"))
    events = await read(stream)
    assert events[1] == Delta(index=0, ids=(0, 1, 2, 3, 4), text="01234")


def test_a_model_is_listed_for_a_while_after_its_last_worker_left(hub: Hub, clock: Clock) -> None:
    worker = FakeWorker(hub).join()
    (card,) = hub.models()
    assert (card.workers, card.created, card.file_sha256) == (1, 7, ("f",))
    hub.disconnected(worker.link)
    assert [card.workers for card in hub.models()] == [0]
    clock.now += REMEMBER_S + 1
    assert hub.models() == ()


def test_models_from_before_the_restart_are_known_at_once(hub: Hub) -> None:
    FakeWorker(hub).join()
    catalogue = Catalogue(remembered=hub.models(), created=99, now=0.0)
    assert [card.model for card in catalogue.cards(1.0)] == ["m"]
    assert [link.name for link in hub.links()] == ["fake"]


def test_a_worker_without_a_job_is_told_why(hub: Hub, clock: Clock) -> None:
    worker = FakeWorker(hub).join()
    for _ in range(2):
        clock.now += 0.25
        hub.tick()
    worker.read()
    (told,) = worker.work
    assert isinstance(told, Standing)
    assert (told.model, told.reason, told.text) == ("m", "idle", "nobody asks for m now")


async def test_what_became_of_a_job_is_known_after_its_end(hub: Hub) -> None:
    worker = FakeWorker(hub).join()
    stream = hub.submit(order())
    worker.say(Started(job=J, epoch=1, prompt_tokens=9, cached_tokens=4))
    worker.say(step(1, 2))
    worker.say(Finished(job=J, epoch=1, tokens=2, reason="stop"))
    await read(stream)
    (history,) = hub.histories(J)
    assert (history.prompt_tokens, history.cached_tokens, history.tokens, history.over) == (9, 4, 2, True)
