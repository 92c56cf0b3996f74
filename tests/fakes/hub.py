"""A hub that keeps its promise in memory: a script says what each job's events are."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from iamine.ids import JobId, ModelId, WorkerId
from pool.errors import PoolError
from pool.routing.demand import Figures
from pool.routing.history import History
from pool.routing.types import Begun, Delta, Ended, JobEvent, JobOrder, ModelCard, Segment, Vectors

WORKER = WorkerId("wrk_fake")
Step = JobEvent | PoolError | asyncio.Event | float
Script = Callable[[JobOrder], Sequence[Step]]


def card(model: str = "mote", **changes: object) -> ModelCard:
    """A model's card."""
    fields: dict[str, object] = {
        "model": ModelId(model),
        "kind": "chat",
        "context_tokens": 2048,
        "vocabulary_tokens": 1000,
        "tool_format": "hermes",
        "workers": 1,
        "created": 1_700_000_000,
        "file_sha256": ("ab" * 32,),
    }
    return ModelCard(**(fields | changes))  # type: ignore[arg-type]


def answering(*texts: str, reason: str = "stop", prompt_tokens: int = 7) -> list[Step]:
    """The events of an answer whose tokens are these texts."""
    steps: list[Step] = [Begun(worker=WORKER, epoch=1, prompt_tokens=prompt_tokens, cached_tokens=2)]
    steps += [Delta(index=i, ids=(i,), text=text) for i, text in enumerate(texts)]
    return [*steps, ended(len(texts), reason=reason, prompt_tokens=prompt_tokens)]


def ended(tokens: int, *, text: str = "", reason: str = "stop", prompt_tokens: int = 7) -> Ended:
    """The end of an answer that one worker gave."""
    return Ended(
        reason="length" if reason == "length" else "stop",
        text=text,
        tokens=tokens,
        prompt_tokens=prompt_tokens,
        cached_tokens=2,
        segments=(Segment(worker=WORKER, start=0, stop=tokens),),
    )


def vectors(*values: tuple[float, ...]) -> list[Step]:
    """The answer to an embedding job."""
    told = Vectors(vectors=values, prompt_tokens=3, segments=(Segment(worker=WORKER, start=0, stop=3),))
    return [Begun(worker=WORKER, epoch=1, prompt_tokens=3, cached_tokens=0), told]


class FakeStream:
    """Plays a script: events are told, errors raised, asyncio.Events waited for, numbers slept."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = iter(steps)
        self.cancelled = asyncio.Event()
        self.over = False

    def __aiter__(self) -> AsyncIterator[JobEvent]:
        return self

    async def __anext__(self) -> JobEvent:
        for step in self._steps:
            if isinstance(step, asyncio.Event):
                await step.wait()
            elif isinstance(step, float):
                await asyncio.sleep(step)
            elif isinstance(step, PoolError):
                self.over = True
                raise step
            else:
                self.over = isinstance(step, Ended | Vectors)
                return step
        raise StopAsyncIteration

    def at_hand(self) -> None:
        return None

    def cancel(self) -> None:
        self.over = True
        self.cancelled.set()


class FakeHub:
    """Every submitted job gets the script's answer; `taken` counts the slots that are not free."""

    def __init__(self, script: Script | None = None, cards: Sequence[ModelCard] | None = None) -> None:
        self.script: Script = script or (lambda _order: answering("Hello", " there"))
        self.cards = tuple(cards) if cards is not None else (card(),)
        self.orders: list[JobOrder] = []
        self.streams: list[FakeStream] = []
        self.refusal: PoolError | None = None
        self.now = 1000.0
        self.workers = 1
        self.resting = 0
        self.waits: dict[ModelId, float | None] = {}
        self.queued = 0
        self.figures = Figures()
        self.wished: list[ModelId] = []
        self.told: dict[JobId, tuple[History, ...]] = {}

    def submit(self, order: JobOrder) -> FakeStream:
        if self.refusal is not None and self.streams:
            raise self.refusal
        self.orders.append(order)
        self.streams.append(FakeStream(self.script(order)))
        return self.streams[-1]

    def models(self) -> tuple[ModelCard, ...]:
        return self.cards

    def wait_s(self, model: ModelId) -> float | None:
        return self.waits.get(model, 0.0)

    def histories(self, job: JobId) -> tuple[History, ...]:
        return self.told.get(job, ())

    def demand(self) -> Figures:
        return self.figures

    def missed(self, model: ModelId) -> None:
        self.wished.append(model)

    def monotonic(self) -> float:
        return self.now

    @property
    def running(self) -> int:
        return self.taken

    @property
    def taken(self) -> int:
        """Jobs whose slot is not free yet."""
        return sum(1 for stream in self.streams if not stream.over)
