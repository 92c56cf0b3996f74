"""Asking the upstream provider while the job here still waits: whichever speaks first answers."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from pool.dispatch.events import StreamEvent
from pool.dispatch.ports import JobStream
from pool.errors import PoolError
from pool.openai.types import ChatRequest
from pool.routing.types import Queued

log = logging.getLogger("iamine.pool.dispatch")

AGAIN_S = 10.0  # after a failure


def may_ask(request: object) -> bool:
    """Whether a provider that knows OpenAI's parameters only can honour the request."""
    if not isinstance(request, ChatRequest):
        return False
    drawn = request.sampling
    plain = (drawn.top_k, drawn.min_p, drawn.repeat_penalty, drawn.ignore_eos) == (0, 0.0, 1.0, False)
    shaped = drawn.grammar is not None and (drawn.grammar.kind == "gbnf" or request.must_call)
    return plain and not shaped and not drawn.logit_bias and drawn.logprobs is None


class Detour:
    """At most one attempt at a time; after a failed one the next is made some seconds later."""

    def __init__(self) -> None:
        self._attempt: asyncio.Task[JobStream] | None = None
        self._reading: asyncio.Task[StreamEvent] | None = None
        self._again_at = 0.0

    @property
    def open(self) -> bool:
        """Whether an event must be asked for here."""
        return self._attempt is not None or self._reading is not None

    def begin(self, opening: Coroutine[Any, Any, JobStream], now: float) -> bool:
        """Try, unless one is being tried or failed a short while ago."""
        if self._attempt is not None or now < self._again_at:
            opening.close()
            return False
        self._again_at = now + AGAIN_S
        self._attempt = asyncio.create_task(opening)
        return True

    async def next(self, stream: JobStream) -> StreamEvent | JobStream | None:
        """An event of the job, or the provider's stream, or None when neither is there yet. Raises as the job does."""
        reading = self._reading = self._reading or asyncio.create_task(_next(stream))
        attempt = self._attempt
        await asyncio.wait({reading} | ({attempt} if attempt else set()), return_when=asyncio.FIRST_COMPLETED)
        if reading.done():
            self._reading = None
            if attempt is not None and reading.exception() is not None:
                await asyncio.wait({attempt})  # the job here is over: the attempt is what is left
                self._attempt = None
                if (opened := self._outcome(attempt)) is not None:
                    return opened
            event = reading.result()
            if not isinstance(event, Queued):
                self.cancel()
            return event
        assert attempt is not None, "one of the two is done"
        self._attempt = None
        return self._outcome(attempt)

    def _outcome(self, attempt: "asyncio.Task[JobStream]") -> JobStream | None:
        error = attempt.exception()
        if error is None:
            self.cancel()
            return attempt.result()
        if not isinstance(error, PoolError):
            raise error
        log.warning("upstream: %s", error)
        return None

    def cancel(self) -> None:
        """Give up both. May be called again."""
        for task in (self._attempt, self._reading):
            if task is not None:
                task.add_done_callback(_settle)
                task.cancel()
        self._attempt = self._reading = None


async def _next(stream: JobStream) -> StreamEvent:
    return await stream.__aiter__().__anext__()


def _settle(task: "asyncio.Task[Any]") -> None:
    """Nobody waits for it; a provider's stream that was opened all the same is hung up."""
    if task.cancelled() or task.exception() is not None:
        return
    hang_up = getattr(task.result(), "cancel", None)
    if hang_up is not None:
        hang_up()
