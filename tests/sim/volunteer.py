"""Volunteers' machines in the simulation: they die, stall, crawl, lie, rest, leave, and come back as zombies."""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from iamine.identity import Identity
from iamine.ids import JobId, ModelId, worker_id
from iamine.wire.codec import decode_from_pool, encode
from iamine.wire.messages import (
    Cancel,
    Drain,
    Failed,
    Finished,
    Goodbye,
    Hardware,
    Heartbeat,
    Job,
    Message,
    ModelOffer,
    Models,
    Progress,
    SequenceStep,
    Started,
    Step,
)
from iamine.wire.session import Accepted, Challenged, Ended, State, WorkerSession, Working
from pool.hub import Link

if TYPE_CHECKING:
    from world import World

MODEL = ModelId("sim")
HARDWARE = Hardware(cpu="sim", cores_physical=1, cores_usable=1.0, memory_bytes=1, memory_available_bytes=1)
VOCABULARY = 1 << 20
STEP_S = 0.02
SETTLE_S = 0.1  # in which what was said has reached the other side, and its answer this one
FILES = ("f", "g")  # two files of one model: their tokens differ


def token(prompt: str, index: int, file: str = "f") -> int:
    """What every honest engine with this file answers at this index."""
    return int.from_bytes(hashlib.blake2s(f"{prompt}:{index}:{file}".encode(), digest_size=2).digest(), "big")


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Chances of what can go wrong; per job unless said otherwise."""

    kills_per_s: float = 0.5
    crawl: float = 0.05
    hang: float = 0.05
    deaf: float = 0.5  # of those that are told to stop: goes on sending (a zombie on a live link)
    ghosts: float = 0.5  # of cuts: the machine goes on with what it had, and tells it over the next link
    lie: float = 0.03
    twice: float = 0.05  # says twice that it has finished
    refuse: float = 0.03
    breaks: float = 0.03  # the engine dies in the middle, after a token at least
    long_prompt: float = 0.03  # reads the prompt for up to ten seconds, and says so
    mute: float = 0.3  # of kills: the link stays open but says nothing
    rests_per_s: float = 0.1  # owners take their machines back, for a few seconds
    leaves_per_s: float = 0.05  # machines are switched off as they should be, and come back later


NO_FAULTS = Faults(**dict.fromkeys(Faults.__dataclass_fields__, 0.0))


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
        self.id = worker_id(self.identity.public_key)
        self.slots = self.random.randint(1, 4)
        self.file = FILES[number % 2]
        self.pipe: Pipe | None = None
        self.mute = False
        self.session: WorkerSession | None = None
        self.tasks: dict[tuple[JobId, int], asyncio.Task[None]] = {}
        self.held: set[tuple[JobId, int]] = set()  # given to it over this link, and neither ended nor taken back
        self.zombies: set[tuple[JobId, int]] = set()  # told to stop, go on, and talk nonsense
        self.closed_at: float | None = None  # since when it takes no jobs, as it has said

    # ---- its link

    def connect(self) -> None:
        self.session = WorkerSession(identity=self.identity, pinned_pool_key=None, nonce=self.random.randbytes(32), agent="sim")
        self.pipe = Pipe(self.world, self)
        self.mute, self.closed_at = False, None
        self.held.clear()
        self.pipe.link = self.world.hub.connect(self.pipe)
        self.pipe.say(self.session.knock())

    def hear(self, pipe: Pipe, frame: bytes) -> None:
        if pipe is not self.pipe or self.session is None:
            return
        match self.session.receive(decode_from_pool(frame)):
            case Challenged():
                pipe.say(self.session.hello(hardware=HARDWARE, models=(self.offer(),), name="sim"))
            case Working(message=Job() as job):
                self.take(job)
            case Working(message=Cancel() as cancel):
                self.stop((cancel.job, cancel.epoch))
            case Accepted() | Ended() | Working():
                pass

    def offer(self) -> ModelOffer:
        offer = ModelOffer(model=MODEL, file_sha256=self.file, slots=1, context_tokens=4096, vocabulary_tokens=VOCABULARY)
        return msgspec.structs.replace(offer, slots=self.slots, decode_tps=50.0)

    @property
    def is_linked(self) -> bool:
        return self.pipe is not None and self.pipe.open and self.session is not None and self.session.state is State.OPEN

    def say(self, message: Message) -> None:
        if self.pipe is not None and self.is_linked and not self.mute:
            self.pipe.say(message)

    def cut(self, pipe: Pipe) -> None:
        """The connection is gone: come back after a while, perhaps with what was running."""
        if pipe is not self.pipe:
            return
        if self.random.random() < self.world.faults.ghosts:
            self.zombies |= set(self.tasks)
        else:
            for task in list(self.tasks.values()):
                task.cancel()
        asyncio.get_running_loop().call_later(self.random.uniform(0.2, 3.0), self.connect)

    async def beat(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            if self.is_linked:
                self.say(Heartbeat(running=len(self.tasks), ready=self.closed_at is None, resting=self.closed_at is not None))

    # ---- what its owner does

    async def rest(self) -> None:
        """The owner takes the machine back for a while: as the agent does it."""
        if not self.is_linked or self.closed_at is not None:
            return
        pipe = self.pipe
        self.give_back()
        self.say(Models(models=()))
        await asyncio.sleep(self.random.uniform(0.5, 5.0))
        if self.pipe is pipe and self.is_linked:
            self.closed_at = None
            self.say(Models(models=(self.offer(),)))
            self.say(Heartbeat(running=0))

    async def leave(self) -> None:
        """The machine is switched off as it should be; some first let the running answers end."""
        if not self.is_linked or self.closed_at is not None:
            return
        pipe = self.pipe
        if self.random.random() < 0.5:
            self.closed_at = asyncio.get_running_loop().time()
            self.say(Drain(reason="leaving"))
            await asyncio.sleep(self.random.uniform(0.0, 2.0))
        if self.pipe is pipe and self.is_linked:
            self.give_back()
            self.say(Goodbye(code="leaving", reason="leaving"))

    def give_back(self) -> None:
        self.closed_at = asyncio.get_running_loop().time()
        self.say(Heartbeat(running=0, ready=False, resting=True))
        for job, epoch in sorted(self.held):
            self.say(Failed(job=job, epoch=epoch, code="draining", message="wanted back", retryable=True))
        self.held.clear()
        for task in list(self.tasks.values()):
            task.cancel()

    # ---- work

    def take(self, job: Job) -> None:
        key, now = (job.job, job.epoch), asyncio.get_running_loop().time()
        if not self.mute:
            assert self.closed_at is None or now - self.closed_at < SETTLE_S, "a job for a worker that said it takes none"
        if self.closed_at is not None:
            self.say(Failed(job=job.job, epoch=job.epoch, code="draining", message="at rest", retryable=True))
            return
        self.held.add(key)
        assert len(self.held) <= self.slots, f"{len(self.held)} jobs at once for {self.slots} slots"
        assert job.file_sha256 == self.file, "a job for a file that it does not have"
        self.tasks[key] = self.world.spawn(self.work(job))
        self.tasks[key].add_done_callback(lambda _: self.tasks.pop(key, None))

    def stop(self, key: tuple[JobId, int]) -> None:
        self.held.discard(key)
        task = self.tasks.get(key)
        if task is not None and self.random.random() >= self.world.faults.deaf:
            task.cancel()
        elif task is not None:
            self.zombies.add(key)

    async def work(self, job: Job) -> None:
        faults, draw, wanted = self.world.faults, self.random.random, job.sampling.max_tokens
        if draw() < faults.refuse:
            return self.end(Failed(job=job.job, epoch=job.epoch, code="no_slot", message="full", retryable=True))
        pace_s = STEP_S * (200 if draw() < faults.crawl else 1)
        hang_at = self.random.randrange(wanted) if draw() < faults.hang else -1
        lie_at = self.random.randrange(wanted) if draw() < faults.lie else -1
        if draw() < faults.lie / 3:
            self.tell(job, len(job.prefix), token(str(job.job), len(job.prefix), self.file))  # before it has begun
        break_at = self.random.randrange(len(job.prefix) + 1, wanted + 2) if draw() < faults.breaks else -1
        await self.read_prompt(job)
        self.say(Started(job=job.job, epoch=job.epoch, prompt_tokens=3))
        for index in range(len(job.prefix), wanted):
            await asyncio.sleep(pace_s)
            if index == break_at:
                return self.end(Failed(job=job.job, epoch=job.epoch, code="engine_lost", message="died", retryable=True))
            if index == hang_at:
                await asyncio.sleep(3600)
            if index == lie_at:
                self.lie(job, index)
            self.tell(job, index, self.next_token(job, index))
        return self.end(Finished(job=job.job, epoch=job.epoch, tokens=wanted, reason="length"))

    async def read_prompt(self, job: Job) -> None:
        await asyncio.sleep(self.random.uniform(0.01, 0.2))
        if self.random.random() < self.world.faults.long_prompt:
            for second in range(self.random.randint(1, 10)):
                self.say(Progress(job=job.job, epoch=job.epoch, done_tokens=second, total_tokens=10))
                await asyncio.sleep(1.0)

    def next_token(self, job: Job, index: int) -> int:
        return 0 if (job.job, job.epoch) in self.zombies else token(str(job.job), index, self.file)

    def tell(self, job: Job, index: int, *ids: int) -> None:
        if (job.job, job.epoch) not in self.zombies:
            self.world.said.setdefault((job.job, index), set()).add(self.id)
        step = SequenceStep(job=job.job, epoch=job.epoch, index=index, ids=ids, text="".join(f" {each}" for each in ids))
        self.say(Step(sequences=(step,)))

    def end(self, frame: Finished | Failed) -> None:
        self.held.discard((frame.job, frame.epoch))
        self.say(frame)
        if isinstance(frame, Finished) and self.random.random() < self.world.faults.twice:
            self.say(frame)

    def lie(self, job: Job, index: int) -> None:
        """One of the things that no honest engine says."""
        right = token(str(job.job), index, self.file)
        match self.random.randrange(6):
            case 0:
                self.tell(job, index + 1, right)
            case 1:
                self.tell(job, max(0, index - 1), right)
            case 2:
                self.tell(job, index, VOCABULARY + right)
            case 3:
                self.tell(job, index, *[right] * (job.sampling.max_tokens + 1))
            case 4:
                self.say(Finished(job=job.job, epoch=job.epoch, tokens=job.sampling.max_tokens, reason="length"))
            case _:
                self.meddle()

    def meddle(self) -> None:
        """It talks about somebody else's job."""
        others = [(key, worker) for worker in self.world.workers if worker is not self for key in sorted(worker.held)]
        if others:
            (job, epoch), _ = self.random.choice(others)
            index = self.world.tokens_of.get(job, 0)
            self.say(Step(sequences=(SequenceStep(job=job, epoch=epoch, index=index, ids=(0,), text=" 0"),)))
            self.say(Finished(job=job, epoch=epoch, tokens=index, reason="stop"))
