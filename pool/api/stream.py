"""A streamed answer: opened late enough to refuse with a status, early enough to show life, told to its end."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from sanic import Request

from pool.api.errors import log_failure
from pool.api.outlet import Outlet
from pool.api.settings import Settings
from pool.api.sse import CONTENT_TYPE, HEADERS, degraded_comment, waiting_comment
from pool.dispatch.answer import Answer
from pool.dispatch.events import Accepted, AnswerEvent, Done, Moved, Reading, Thinking, Waiting
from pool.errors import PoolError

Send = Callable[[bytes], Awaitable[object]]


class Writer(Protocol):
    """An answer's events as the bytes of a stream, in one dialect."""

    def opening(self, choices: int, /) -> bytes: ...
    def write(self, event: AnswerEvent) -> bytes: ...
    def failure(self, error: Exception) -> bytes: ...


class Ticking:
    """Reads events with a time limit, without losing the one that is under way."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._next: asyncio.Task[AnswerEvent] | None = None

    async def next(self, timeout_s: float) -> AnswerEvent | None:
        """The next event, or None when there was none in time."""
        if self._next is None:
            self._next = asyncio.create_task(_next(self._answer))
        await asyncio.wait({self._next}, timeout=timeout_s)
        if not self._next.done():
            return None
        task, self._next = self._next, None
        return task.result()

    def close(self) -> None:
        """Stop reading."""
        if self._next is not None:
            self._next.add_done_callback(_forget)
            self._next.cancel()


def _forget(task: "asyncio.Task[AnswerEvent]") -> None:
    """Nobody is there to be told how it ended."""
    if not task.cancelled():
        task.exception()


async def _next(answer: Answer) -> AnswerEvent:
    return await answer.__anext__()


class Streamed:
    """One answer on its way to one client; `on_first` is called when its first token is there.

    `constrained`: the answer has a grammar. Workers compile it after they took the prompt, so only a token shows that
    it is a good one.
    """

    def __init__(
        self, answer: Answer, writer: Writer, settings: Settings, on_first: Callable[[], None], *, constrained: bool
    ) -> None:
        self._answer = answer
        self._ticking = Ticking(answer)
        self._writer = writer
        self._settings = settings
        self._on_first = on_first
        self._constrained = constrained
        self._told: Waiting | Reading | Thinking | None = None
        self._early = b""

    async def run(self, request: Request) -> Done | None:
        """Stream it all; None when it ended in an error event. Raises PoolError only before the first byte."""
        try:
            first = await self._before_opening()
            response = await request.respond(headers=dict(HEADERS), content_type=CONTENT_TYPE)
            opening = self._writer.opening(self._answer.choices) + degraded_comment(self._answer.origin())
            await response.send(opening + self._early + (waiting_comment(self._told) if first is None else b""))
            done = await self._tell(first, Outlet(response))
            await response.eof()
            return done
        finally:
            self._ticking.close()

    async def _before_opening(self) -> AnswerEvent | None:
        """The event that shows that the request was accepted, or None when it still waits after a second."""
        clock = asyncio.get_running_loop().time
        until = clock() + self._settings.open_after_s
        while True:
            event = await self._ticking.next(max(0.0, until - clock()))
            if isinstance(event, Waiting | Reading):
                self._told = event
            elif isinstance(event, Moved):
                self._early += self._writer.write(event)
            elif not (self._constrained and isinstance(event, Accepted)):
                return event

    async def _tell(self, event: AnswerEvent | None, outlet: Outlet) -> Done | None:
        try:
            return await self._tell_all(event, outlet)
        except Exception as error:  # noqa: BLE001 - the status is out: whatever happens now is told as an event
            if not isinstance(error, PoolError):
                log_failure(self._answer.job, error)
            await outlet.send(self._writer.failure(error))
            return None

    async def _tell_all(self, event: AnswerEvent | None, outlet: Outlet) -> Done:
        """Comments while nothing but waiting happens; from the first token on, the plain loop."""
        if event is None or isinstance(event, Accepted):
            event = await self._waited(outlet.send)
        self._on_first()
        while True:
            if isinstance(event, Thinking):
                await outlet.send(waiting_comment(event))
            if isinstance(event, Waiting | Thinking):
                self._told = event
                event = await self._waited(outlet.send)
            data, told = self._writer.write(event), event
            while (following := self._answer.at_hand()) is not None and not isinstance(following, Waiting | Thinking):
                data, told = data + self._writer.write(following), following
            if isinstance(told, Done):
                await outlet.end(data)
                return told
            if data:
                await outlet.send(data)
            event = following or await self._answer.__anext__()

    async def _waited(self, send: Send) -> AnswerEvent:
        """The next event that is more than waiting; a comment each second until then."""
        clock = asyncio.get_running_loop().time
        until = clock() + self._settings.comment_every_s
        while True:
            event = await self._ticking.next(max(0.0, until - clock()))
            match event:
                case None:
                    await send(waiting_comment(self._told))
                    until = clock() + self._settings.comment_every_s
                case Waiting() | Reading():
                    self._told = event
                case Thinking():
                    self._told = event
                    await send(waiting_comment(event))
                case Accepted():
                    self._told = None
                case Moved():
                    self._told = None
                    await send(self._writer.write(event))
                case _:
                    return event
