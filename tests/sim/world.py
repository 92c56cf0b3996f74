"""A world in a bottle: the real hub, scheduler, sessions and codec over in-memory sockets, clients and volunteers.

Everything random comes from one seed, and the clock is virtual.
"""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Coroutine
from typing import Any

from virtual import VirtualLoop
from volunteer import FILES, MODEL, Faults, Worker, token

from iamine.identity import Identity
from iamine.ids import AccountId, JobId, WorkerId
from iamine.wire.messages import CompletionWork, Goodbye, Sampling
from pool.errors import AnswerLost, DeadlineExceeded
from pool.hub import Hub, Stream
from pool.hub.catalogue import Catalogue
from pool.routing.scheduler import Patience, Scheduler
from pool.routing.types import Delta, JobOrder
from pool.routing.types import Ended as JobEnded

DEADLINE_S = 300.0
TICK_S = 0.25
SETTLED_S = Patience().idle_silence_s + 10.0


class World:
    """Runs a scenario and checks what clients saw.

    `tokens`: the longest answer; `impatient`: chance of a short deadline; `leaving`: chance that a client breaks off;
    `settling`: afterwards all is quiet for a while, and every worker must be back.
    """

    def __init__(
        self,
        seed: int,
        faults: Faults,
        *,
        tokens: int = 60,
        impatient: float = 0.05,
        leaving: float = 0.1,
        settling: bool = False,
    ) -> None:
        self.random = random.Random(seed)
        self.faults, self.tokens, self.impatient, self.leaving, self.settling = faults, tokens, impatient, leaving, settling
        self.seen: Counter[str] = Counter()
        self.tasks: set[asyncio.Task[None]] = set()
        self.workers: list[Worker] = []
        self.said: dict[tuple[JobId, int], set[WorkerId]] = {}  # which honest workers have said this token of this job
        self.tokens_of: dict[JobId, int] = {}  # how many tokens its client has
        self.broken: BaseException | None = None

    def spawn(self, coroutine: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.broken = self.broken or task.exception()

    def broke(self, _loop: object, context: dict[str, Any]) -> None:
        """Something raised inside a callback: a hub that throws is a fault, whoever caused it."""
        self.broken = self.broken or context.get("exception") or AssertionError(context["message"])

    async def run(self, *, workers: int, clients: int, jobs: int) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self.broke)
        self.hub = Hub(
            identity=Identity.from_seed(bytes(32)),
            name="sim",
            scheduler=Scheduler(),
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
        self.spawn(self._tick())
        chaos = [self.spawn(chore) for chore in (self._kill(), self._owners("rest"), self._owners("leave"))]
        asking = [self.spawn(self._client(client, jobs)) for client in range(clients)]
        while self.broken is None and not all(task.done() for task in asking):
            await asyncio.sleep(1.0)
        if self.settling and self.broken is None:
            await self._settle(chaos)
        if self.broken is not None:
            raise self.broken
        self._check_the_end()
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _settle(self, chaos: list[asyncio.Task[None]]) -> None:
        """Nobody does any more harm: in time every worker is found out and has come back."""
        for chore in chaos:
            chore.cancel()
        until = asyncio.get_running_loop().time() + SETTLED_S
        while self.broken is None and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(1.0)

    def _check_the_end(self) -> None:
        tally = self.hub.tally
        for name in ("breaches", "zombies", "redispatched", "evictions", "given_back"):
            self.seen[name] = getattr(tally, name)
        assert self.hub.queued == 0, "jobs left in the queue"
        assert self.hub.running == 0, "slots left taken"
        assert self.seen["complete"] <= tally.completed <= self.seen["complete"] + self.seen["left"], "an end counted twice"
        linked = {link.worker for link in self.hub.links()}
        told = {
            worker.id for worker in self.workers if worker.pipe is not None and worker.pipe.link.ended
        }  # a goodbye is on its way
        strangers = [one.id for one in self.workers if one.is_linked and not one.mute and one.id not in linked | told]
        assert strangers == [], "a live link that the hub has forgotten"
        if self.settling:
            assert linked == {worker.id for worker in self.workers}, "a worker that is not back"
            assert not any(worker.mute for worker in self.workers), "a silent worker that nobody has noticed"

    # ---- what happens to workers

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self.hub.tick()

    async def _kill(self) -> None:
        while self.faults.kills_per_s:
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

    async def _owners(self, what: str) -> None:
        rate = self.faults.rests_per_s if what == "rest" else self.faults.leaves_per_s
        while rate:
            await asyncio.sleep(self.random.expovariate(rate))
            worker = self.random.choice(self.workers)
            self.spawn(worker.rest() if what == "rest" else worker.leave())
            self.seen[what] += 1

    # ---- clients

    async def _client(self, client: int, jobs: int) -> None:
        for number in range(jobs):
            job, wanted = JobId(f"{client}.{number}"), self.random.randint(1, self.tokens)
            patience_s = self.random.uniform(0.5, 5.0) if self.random.random() < self.impatient else DEADLINE_S
            deadline_s = asyncio.get_running_loop().time() + patience_s
            stream = self.hub.submit(
                JobOrder(
                    job=job,
                    account=AccountId(f"a{client}"),
                    model=MODEL,
                    work=CompletionWork(prompt="x"),
                    sampling=Sampling(max_tokens=wanted),
                    wall_time_s=0.0,
                    deadline_s=deadline_s,
                )
            )
            leave_after = self.random.randrange(wanted) if self.random.random() < self.leaving else None
            try:
                await self._read(stream, job, wanted, leave_after)
            except (AnswerLost, DeadlineExceeded) as error:
                self._refused(error, deadline_s)
            await asyncio.sleep(self.random.uniform(0, 0.5))

    def _refused(self, error: AnswerLost | DeadlineExceeded, deadline_s: float) -> None:
        self.seen[str(error.code)] += 1
        late_s = asyncio.get_running_loop().time() - deadline_s
        if isinstance(error, DeadlineExceeded):
            assert late_s > 0, "a deadline that has not come"
            self.seen["longest wait past a deadline, in ms"] = max(
                self.seen["longest wait past a deadline, in ms"], int(1000 * late_s)
            )

    async def _read(self, stream: Stream, job: JobId, wanted: int, leave_after: int | None) -> None:
        got: list[int] = []
        ended = False
        async for event in stream:
            assert not ended, f"{job}: {event} after the end"
            if isinstance(event, Delta):
                assert event.index == len(got), f"{job}: index {event.index} after {len(got)} tokens"
                got.extend(event.ids)
                assert len(got) <= wanted, f"{job}: {len(got)} tokens, asked for {wanted}"
                self.tokens_of[job] = len(got)
                if leave_after is not None and len(got) > leave_after:
                    stream.cancel()
                    self.seen["left"] += 1
                    return
            if isinstance(event, JobEnded):
                ended = True
                self._check_credit(job, event, len(got), wanted)
        assert ended, f"{job}: no end"
        assert got in [[token(job, index, file) for index in range(wanted)] for file in FILES], (
            f"{job}: not the tokens of one file"
        )

    def _check_credit(self, job: JobId, end: JobEnded, got: int, wanted: int) -> None:
        """Every token is credited once, to a worker that said it."""
        assert end.tokens == got == wanted, f"{job}: {got} tokens of {wanted}"
        stops = [segment.stop for segment in end.segments]
        assert stops[-1] == wanted and [s.start for s in end.segments] == [0, *stops[:-1]], f"{job}: segments {end.segments}"
        for segment in end.segments:
            wrong = [n for n in range(segment.start, segment.stop) if segment.worker not in self.said.get((job, n), ())]
            assert wrong == [], f"{job}: tokens {wrong} are credited to a worker that never said them"
        self.seen["moved"] += len(stops) > 1
        self.seen["complete"] += 1


def simulate(seed: int, faults: Faults, *, workers: int = 4, clients: int = 5, jobs: int = 4, **more: Any) -> Counter[str]:
    """One seeded run; raises AssertionError (with the seed) when a promise was broken."""
    world = World(seed, faults, **more)
    loop = VirtualLoop()
    try:
        loop.run_until_complete(asyncio.wait_for(world.run(workers=workers, clients=clients, jobs=jobs), 3000))
    except Exception as error:
        raise AssertionError(f"seed {seed}: {type(error).__name__}: {error}") from error
    finally:
        with contextlib.suppress(RuntimeError):
            for task in asyncio.all_tasks(loop):
                task.cancel()
            loop.run_until_complete(asyncio.sleep(0))
        loop.close()
    return world.seen
