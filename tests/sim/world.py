"""A world in a bottle: the real hub, scheduler, sessions and codec over in-memory sockets, with workers that die,
stall, crawl, go silent, lie and come back as zombies. Everything random comes from one seed."""

import asyncio
import contextlib
import hashlib
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field

from iamine.identity import Identity
from iamine.ids import AccountId, JobId, ModelId
from iamine.wire.codec import decode_from_pool, encode
from iamine.wire.messages import (
    Cancel,
    ChatWork,
    CompletionWork,
    Failed,
    Finished,
    Goodbye,
    Hardware,
    Heartbeat,
    Job,
    Message,
    ModelOffer,
    Sampling,
    SequenceStep,
    Started,
    Step,
)
from iamine.wire.session import Accepted, Challenged, Ended, WorkerSession, Working
from pool.errors import AnswerLost, DeadlineExceeded
from pool.hub import Hub, Link, Stream
from pool.hub.catalogue import Catalogue
from pool.routing.scheduler import Scheduler
from pool.routing.types import Delta, JobOrder
from pool.routing.types import Ended as JobEnded

MODEL = ModelId("sim")
HARDWARE = Hardware(cpu="sim", cores_physical=1, cores_usable=1.0, memory_bytes=1, memory_available_bytes=1)
VOCABULARY = 1 << 20
STEP_S = 0.02


def token(prompt: str, index: int) -> int:
    """What every honest engine answers at this index."""
    return int.from_bytes(hashlib.blake2s(f"{prompt}:{index}".encode(), digest_size=2).digest(), "big")


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Chances of what can go wrong; per job unless said otherwise."""

    kills_per_s: float = 0.5
    crawl: float = 0.05
    hang: float = 0.05
    deaf: float = 0.5  # of those that are told to stop: goes on sending (a zombie on a live link)
    lie: float = 0.02
    refuse: float = 0.03
    mute: float = 0.3  # of kills: the link stays open but says nothing


@dataclass(eq=False)
class Pipe:
    """One direction each way between a hub and a worker, with latency and in order."""

    world: "World"
    worker: "Worker"
    link: Link = field(init=False)
    open: bool = True
    _last: float = 0.0

    def send(self, frame: bytes) -> None:
        self._later(lambda: self.worker.hear(self, frame))

    def close(self) -> None:
        self._later(self.hang_up)

    def say(self, message: Message) -> None:
        """Worker -> hub."""
        frame = encode(message)
        self._later(lambda: self.world.hub.receive(self.link, frame))

    def hang_up(self) -> None:
        if self.open:
            self.open = False
            self.worker.cut(self)
            self.world.hub.disconnected(self.link)

    def _later(self, act: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        self._last = max(self._last + 1e-6, loop.time() + self.world.random.uniform(0.0005, 0.01))
        loop.call_at(self._last, lambda: act() if self.open else None)


class Worker:
    """A volunteer's machine."""

    def __init__(self, world: "World", number: int) -> None:
        self.world, self.random = world, world.random
        self.identity = Identity.from_seed(number.to_bytes(32, "big"))
        self.slots = self.random.randint(1, 4)
        self.pipe: Pipe | None = None
        self.mute = False
        self.session: WorkerSession | None = None
        self.tasks: dict[tuple[JobId, int], asyncio.Task[None]] = {}
        self.zombies: set[tuple[JobId, int]] = set()  # told to stop, go on, and talk nonsense

    def connect(self) -> None:
        self.session = WorkerSession(identity=self.identity, pinned_pool_key=None, nonce=self.random.randbytes(32), agent="sim")
        self.pipe = Pipe(self.world, self)
        self.mute = False
        self.pipe.link = self.world.hub.connect(self.pipe)
        self.pipe.say(self.session.knock())

    def hear(self, pipe: Pipe, frame: bytes) -> None:
        if pipe is not self.pipe or self.session is None:
            return
        match self.session.receive(decode_from_pool(frame)):
            case Challenged():
                self.say(self.session.hello(hardware=HARDWARE, models=(self.offer(),), name="sim"))
            case Working(message=Job() as job):
                key = job.job, job.epoch
                self.tasks[key] = self.world.spawn(self.work(job))
                self.tasks[key].add_done_callback(lambda _: self.tasks.pop(key, None))
            case Working(message=Cancel() as cancel):
                task = self.tasks.get((cancel.job, cancel.epoch))
                if task is not None and self.random.random() > self.world.faults.deaf:
                    task.cancel()
                elif task is not None:
                    self.zombies.add((cancel.job, cancel.epoch))
            case Accepted() | Ended() | Working():
                pass

    def offer(self) -> ModelOffer:
        return ModelOffer(
            model=MODEL, file_sha256="f", slots=self.slots, context_tokens=4096, vocabulary_tokens=VOCABULARY, decode_tps=50.0
        )

    def say(self, message: Message) -> None:
        if self.pipe is not None and self.pipe.open and not self.mute:
            self.pipe.say(message)

    def cut(self, pipe: Pipe) -> None:
        """The connection is gone: come back after a while."""
        if pipe is not self.pipe:
            return
        for task in list(self.tasks.values()):
            task.cancel()
        asyncio.get_running_loop().call_later(self.random.uniform(0.2, 3.0), self.connect)

    async def work(self, job: Job) -> None:
        faults, draw = self.world.faults, self.random.random
        assert isinstance(job.work, CompletionWork | ChatWork)
        prompt = str(job.job)
        if draw() < faults.refuse:
            return self.say(Failed(job=job.job, epoch=job.epoch, code="no_slot", message="full", retryable=True))
        pace_s = STEP_S * (200 if draw() < faults.crawl else 1)
        hang_at = self.random.randrange(job.sampling.max_tokens) if draw() < faults.hang else -1
        lie_at = self.random.randrange(job.sampling.max_tokens) if draw() < faults.lie else -1
        await asyncio.sleep(self.random.uniform(0.01, 0.2))
        self.say(Started(job=job.job, epoch=job.epoch, prompt_tokens=3))
        for index in range(len(job.prefix), job.sampling.max_tokens):
            await asyncio.sleep(pace_s)
            if index == hang_at:
                await asyncio.sleep(3600)
            shown = index + 1 if index == lie_at else index
            ids = (token(prompt, index) if (job.job, job.epoch) not in self.zombies else 0,)
            step = SequenceStep(job=job.job, epoch=job.epoch, index=shown, ids=ids, text=f" {ids[0]}")
            self.say(Step(sequences=(step,)))
        tokens = job.sampling.max_tokens
        self.say(Finished(job=job.job, epoch=job.epoch, tokens=tokens, reason="length"))
        return None

    async def beat(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            if self.session is not None and self.session.state.value == "open":
                self.say(Heartbeat(running=len(self.tasks)))


class World:
    """Runs a scenario and checks what clients saw."""

    def __init__(self, seed: int, faults: Faults, scheduler: Scheduler) -> None:
        self.random = random.Random(seed)
        self.faults = faults
        self.scheduler = scheduler
        self.seen: Counter[str] = Counter()
        self.tasks: set[asyncio.Task[None]] = set()
        self.workers: list[Worker] = []

    def spawn(self, coroutine: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def run(self, *, workers: int, clients: int, jobs: int) -> None:
        loop = asyncio.get_running_loop()
        self.hub = Hub(
            identity=Identity.from_seed(bytes(32)),
            name="sim",
            scheduler=self.scheduler,
            catalogue=Catalogue(remembered=(), created=0, now=0.0),
            monotonic=loop.time,
            wall=loop.time,
            random_bytes=self.random.randbytes,
            on_hello=lambda _worker, _hello: None,
        )
        self.workers = [Worker(self, number + 1) for number in range(workers)]
        for worker in self.workers:
            worker.connect()
            self.spawn(worker.beat())
        chores = [self.spawn(self._tick()), self.spawn(self._chaos())]
        await asyncio.gather(*[self._client(client, jobs) for client in range(clients)])
        for chore in chores:
            chore.cancel()
        await asyncio.sleep(0)
        self.seen["breaches"], self.seen["zombies"] = self.hub.tally.breaches, self.hub.tally.zombies
        assert self.hub.queued == 0, "jobs left in the queue"
        assert self.hub.running == 0, "slots left taken"
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(0.25)
            self.hub.tick()

    async def _chaos(self) -> None:
        while True:
            await asyncio.sleep(self.random.expovariate(self.faults.kills_per_s))
            worker = self.random.choice(self.workers)
            if worker.pipe is None or not worker.pipe.open:
                continue
            self.seen["kill"] += 1
            if self.random.random() < self.faults.mute:
                worker.mute = True
            elif self.random.random() < 0.2:
                worker.say(Goodbye(code="bye", reason="enough"))
            elif self.random.random() < 0.2:
                worker.connect()  # a second session with the same key: the older one is fenced
            else:
                worker.pipe.hang_up()

    async def _client(self, client: int, jobs: int) -> None:
        for number in range(jobs):
            job, wanted = JobId(f"{client}.{number}"), self.random.randint(1, 60)
            loop = asyncio.get_running_loop()
            stream = self.hub.submit(
                JobOrder(
                    job=job,
                    account=AccountId(f"a{client}"),
                    model=MODEL,
                    work=CompletionWork(prompt="x"),
                    sampling=Sampling(max_tokens=wanted),
                    wall_time_s=0.0,
                    deadline_s=loop.time() + 300,
                )
            )
            leave_after = self.random.randrange(wanted) if self.random.random() < 0.1 else None
            await self._read(stream, job, wanted, leave_after)
            await asyncio.sleep(self.random.uniform(0, 0.5))

    async def _read(self, stream: Stream, job: JobId, wanted: int, leave_after: int | None) -> None:
        got: list[int] = []
        try:
            async for event in stream:
                if isinstance(event, Delta):
                    assert event.index == len(got), f"{job}: index {event.index} after {len(got)} tokens"
                    got.extend(event.ids)
                    if leave_after is not None and len(got) > leave_after:
                        stream.cancel()
                        self.seen["left"] += 1
                        return
                if isinstance(event, JobEnded):
                    assert event.tokens == len(got) == wanted, f"{job}: {len(got)} tokens of {wanted}"
                    stops = [segment.stop for segment in event.segments]
                    assert stops[-1] == wanted and [s.start for s in event.segments] == [0, *stops[:-1]], "segments"
                    self.seen["moved"] += len(stops) > 1
                    self.seen["complete"] += 1
        except (AnswerLost, DeadlineExceeded) as error:
            self.seen[str(error.code)] += 1
            return
        assert got == [token(job, index) for index in range(wanted)], f"{job}: other tokens than asked for"


def simulate(
    seed: int,
    *,
    faults: Faults | None = None,
    scheduler: Scheduler | None = None,
    workers: int = 4,
    clients: int = 5,
    jobs: int = 4,
) -> Counter[str]:
    """One seeded run; raises AssertionError (with the seed) when a promise was broken."""
    from virtual import VirtualLoop

    world = World(seed, faults or Faults(), scheduler or Scheduler())
    loop = VirtualLoop()
    try:
        loop.run_until_complete(asyncio.wait_for(world.run(workers=workers, clients=clients, jobs=jobs), 3000))
    except AssertionError as error:
        raise AssertionError(f"seed {seed}: {error}") from error
    finally:
        with contextlib.suppress(RuntimeError):
            for task in asyncio.all_tasks(loop):
                task.cancel()
            loop.run_until_complete(asyncio.sleep(0))
        loop.close()
    return world.seen
