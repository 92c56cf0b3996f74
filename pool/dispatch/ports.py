"""What answering needs from elsewhere; hub and store satisfy these."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Literal, Protocol

from iamine.ids import JobId, ModelId
from pool.dispatch.events import StreamEvent
from pool.openai.types import ChatRequest
from pool.routing.types import JobOrder, ModelCard, Segment, Start

Status = Literal["complete", "cut", "failed"]


class JobStream(Protocol):
    """The events of one job; it ends after Ended or Vectors, or raises a PoolError."""

    def __aiter__(self) -> AsyncIterator[StreamEvent]: ...

    def at_hand(self) -> StreamEvent | None:
        """The next event, if it is there already and need not be told by itself."""

    def cancel(self) -> None:
        """Nobody waits any more: free the slot. May be called again."""


class Hub(Protocol):
    """Where jobs are handed to workers."""

    def submit(self, order: JobOrder) -> JobStream: ...

    def models(self) -> Sequence[ModelCard]:
        """Known models, whether or not a worker offers them now."""

    def wait_s(self, model: ModelId) -> float | None:
        """About how long one more job of the model would wait; None when nobody knows."""

    def missed(self, model: ModelId) -> None:
        """A model was asked for that the manifest knows and nobody here offers: workers are to hear of it."""

    def monotonic(self) -> float:
        """The clock that deadlines are told by, in seconds."""


class Upstream(Protocol):
    """Another provider, for what nobody here can serve soon; `after_s` is how long a request waits here first."""

    @property
    def after_s(self) -> float: ...

    def model(self, tier: str) -> ModelId:
        """What answers there for this tier."""

    async def open(self, request: ChatRequest, model: ModelId, *, seed: int) -> JobStream:
        """The stream of an answer whose first words are there. Raises PoolError."""


class Records(Protocol):
    """What is kept of a job: never its text."""

    async def begin(self, start: Start, *, durably: bool) -> None:
        """Wait until the job may begin; `durably`: until it is on record. Raises Unavailable when the database stays away."""

    def is_kept(self, job: JobId) -> bool:
        """Whether the beginning of a job that has not ended is on record."""

    def finish(
        self, start: Start, *, status: Status, prompt_tokens: int, completion_tokens: int, segments: Sequence[Segment]
    ) -> "asyncio.Future[None]":
        """The job's end, and its beginning where that is not on record. The first end counts.

        Done when it is on record, or has failed.
        """
