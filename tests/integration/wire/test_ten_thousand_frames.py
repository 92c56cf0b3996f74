"""10 000 generated frames from strangers while an honest worker answers: it never notices, and no slot stays taken."""

import itertools
import random
from collections import Counter

from fakes.workers import FakeWorker, offer

from iamine.identity import Identity
from iamine.ids import AccountId, JobId, ModelId
from iamine.wire.codec import encode
from iamine.wire.messages import (
    CompletionWork,
    Drain,
    Embedded,
    Failed,
    Finished,
    Heartbeat,
    Knock,
    Message,
    Models,
    Progress,
    Sampling,
    SequenceStep,
    Started,
    Step,
)
from pool.hub import Hub
from pool.hub.catalogue import Catalogue
from pool.routing.scheduler import Scheduler
from pool.routing.types import Delta, Ended, JobOrder

FRAMES = 10_000
TOKENS = 200
STRANGERS = 5


def generated(draw: random.Random, jobs: list[JobId]) -> Message:
    """Any message that a worker can say, about jobs that may be another's."""
    job, epoch, small = draw.choice(jobs), draw.randint(-1, 4), draw.randint(-1, 6)
    return draw.choice(
        [
            Started(job=job, epoch=epoch, prompt_tokens=small),
            Progress(job=job, epoch=epoch, done_tokens=small, total_tokens=small),
            Step(sequences=(SequenceStep(job=job, epoch=epoch, index=small, ids=(draw.randint(-5, 1200),), text="x"),)),
            Step(sequences=()),
            Finished(job=job, epoch=epoch, tokens=small, reason="stop"),
            Embedded(job=job, epoch=epoch, vectors=((0.0,),), prompt_tokens=small),
            Failed(job=job, epoch=epoch, code="no_slot", message="m", retryable=draw.random() < 0.5),
            Heartbeat(running=small, ready=draw.random() < 0.8),
            Models(models=tuple(offer(f"other{n}", file=f"o{n}") for n in range(draw.randint(0, 2)))),
            Drain(),
            Knock(versions=(1,), nonce=bytes(32)),
        ]
    )


def damaged(draw: random.Random, frame: bytes) -> bytes:
    """One frame in three has a few bytes changed, cut or doubled."""
    if draw.random() > 0.33 or not frame:
        return frame
    at = draw.randrange(len(frame))
    return draw.choice(
        [frame[:at], frame[:at] + draw.randbytes(3) + frame[at + 3 :], frame[:at] + frame, frame[at:], draw.randbytes(20)]
    )


def order(job: JobId) -> JobOrder:
    return JobOrder(
        job=job,
        account=AccountId("a"),
        model=ModelId("m"),
        work=CompletionWork(prompt="x"),
        sampling=Sampling(max_tokens=TOKENS),
        wall_time_s=0.0,
        deadline_s=1e9,
    )


async def test_strangers_frames_disturb_nobody() -> None:
    draw, numbers, clock = random.Random(2), itertools.count(), itertools.count()
    hub = Hub(
        identity=Identity.from_seed(bytes(32)),
        name="test",
        scheduler=Scheduler(),
        catalogue=Catalogue(remembered=(), created=0, now=0.0),
        monotonic=lambda: next(clock) * 1e-4,
        wall=lambda: 0.0,
        random_bytes=lambda size: next(numbers).to_bytes(size, "big"),
        on_hello=lambda _worker, _hello: None,
    )
    honest = FakeWorker(hub, seed=1).join()
    job = JobId("honest")
    stream = hub.submit(order(job))
    honest.say(Started(job=job, epoch=1, prompt_tokens=1))
    strangers = [FakeWorker(hub, seed=2 + n, offers=(offer("n"),)).join() for n in range(STRANGERS)]
    codes: Counter[str] = Counter()
    for number in range(FRAMES):
        if number % (FRAMES // TOKENS) == 0:
            index = number // (FRAMES // TOKENS)
            honest.say(Step(sequences=(SequenceStep(job=job, epoch=1, index=index, ids=(index,), text="t"),)))
        place = draw.randrange(STRANGERS)
        stranger = strangers[place]
        hub.receive(stranger.link, damaged(draw, encode(generated(draw, [job, JobId("x")]))))
        if stranger.link.ended:
            stranger.read()
            codes[stranger.goodbye.code if stranger.goodbye else "none"] += 1
            strangers[place] = FakeWorker(hub, seed=2 + place, offers=(offer("n"),)).join()
    honest.say(Finished(job=job, epoch=1, tokens=TOKENS, reason="length"))
    events = [event async for event in stream]
    ids = [token for event in events if isinstance(event, Delta) for token in event.ids]
    assert ids == list(range(TOKENS))
    assert isinstance(events[-1], Ended)
    assert honest.goodbye is None and not honest.work[1:]
    assert (hub.running, hub.queued) == (0, 0)
    assert codes["malformed"] > 500 and codes["out_of_order"] > 300 and codes["none"] == 0
    assert hub.tally.zombies > 500
