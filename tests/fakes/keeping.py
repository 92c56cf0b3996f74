"""A pool that keeps answers, over journals in memory that outlive it."""

import asyncio
from collections.abc import Callable, Sequence

from fakes.hub import WORKER, FakeHub, Step, answering, ended
from fakes.journals import FakeHeld, FakeJournals
from fakes.records import ACCOUNT, FakeRecords
from iamine.ids import JobId, ModelId
from iamine.sealing import Secret
from iamine.wire.messages import Sampling
from pool.dispatch.answer import Answer
from pool.dispatch.events import AnswerEvent, ChoiceDelta
from pool.dispatch.keeper import Keeper, Keeping
from pool.dispatch.kept import Claim, Kept
from pool.dispatch.service import Dispatch
from pool.openai.types import CompletionRequest
from pool.routing.types import Begun, Delta, JobOrder

KEEPING = Keeping(return_s=0.0, unattended=2)


def request(n: int = 1) -> CompletionRequest:
    return CompletionRequest(
        model=ModelId("mote"),
        prompts=("a secret prompt",),
        sampling=Sampling(max_tokens=0, seed=1),
        max_tokens=None,
        n=n,
        echo=False,
        stream=True,
        include_usage=False,
    )


def claim(name: str = "k", body: str = "b", secret: bytes = b"s") -> Claim:
    source = Secret(secret)
    return Claim(account=ACCOUNT, tag=source.tag("t", name.encode()), body=source.tag("b", body.encode()), secret=source)


class House:
    """A pool over journals that outlive it."""

    def __init__(self, journals: FakeJournals | None = None, keeping: Keeping = KEEPING) -> None:
        self.now = 1000.0
        self.hub, self.records = FakeHub(), FakeRecords()
        self.held = FakeHeld(lambda: self.now)
        self.journals = journals or FakeJournals(lambda: self.now)
        self.timers: list[Callable[[], object]] = []
        self.keeper = Keeper(
            hub=self.held, journals=self.journals, keeping=keeping, later=lambda _s, act: self.timers.append(act)
        )
        self.dispatch = Dispatch(hub=self.hub, records=self.records, keeper=self.keeper)
        self.gate = asyncio.Event()

    def script(self, *steps: Step) -> None:
        self.hub.script = lambda _order: list(steps)

    def slow(self, *texts: str, after: int) -> None:
        """An answer that stops after so many tokens until the gate opens."""
        steps = answering(*texts)
        self.hub.script = lambda _order: [*steps[: 1 + after], self.gate, *steps[1 + after :]]

    def in_two(self, *texts: str) -> asyncio.Event:
        """An answer whose second token comes when told, and whose third one waits for the gate."""
        steps, more = answering(*texts), asyncio.Event()
        self.hub.script = lambda _order: [*steps[:2], more, steps[2], self.gate, *steps[3:]]
        return more

    async def ask(self, one: Claim | None = None, *, n: int = 1, resumes: str | None = None) -> Answer:
        async def begin(kept: Kept) -> Answer:
            return await self.dispatch.completion(request(n), ACCOUNT, kept)

        return await self.keeper.answer(one or claim(), begin, resumes=None if resumes is None else JobId(resumes))

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)
        await self.keeper.drain(1.0)

    def time_passes(self) -> None:
        """Every wait that has begun is over."""
        timers, self.timers = self.timers, []
        for act in timers:
            act()

    def next(self) -> "House":
        """The pool is killed; another one begins on the same database."""
        self.keeper.close()
        other = House(self.journals)
        other.now = self.now
        return other


async def texts(answer: Answer, count: int = 10_000) -> list[str]:
    """The next deltas' texts."""
    told: list[str] = []
    async for event in answer:
        if isinstance(event, ChoiceDelta) and event.content:
            told.append(event.content)
            if len(told) == count:
                break
    return told


async def whole(answer: Answer) -> list[AnswerEvent]:
    events = [event async for event in answer]
    answer.close()
    return events


async def lost(house: House, *, n: int = 1, count: int = 2) -> JobId:
    """An answer of which two tokens were written down when the pool was lost."""
    house.slow("a", "b", "c", "d", after=count)
    answer = await house.ask(n=n)
    await texts(answer, count * n)
    await house.keeper.write()
    return answer.job


def going_on(order: JobOrder) -> Sequence[Step]:
    """What a hub tells of a job that goes on."""
    done = len(order.resumed.ids) if order.resumed else 0
    deltas = [Delta(index=i, ids=(i,), text=text) for i, text in enumerate("abcd")][done:]
    return [Begun(worker=WORKER, epoch=7, prompt_tokens=7, cached_tokens=2), *deltas, ended(4)]
