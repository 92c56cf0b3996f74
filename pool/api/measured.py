"""One request from its acceptance to its end: watched, counted and timed."""

import asyncio
from types import TracebackType
from typing import cast

from sanic import Request

from pool.api.desk import Desk
from pool.api.watch import Transport
from pool.openai.types import Usage


class Measured:
    """What is learned of a request while it is answered.

    A context: the client is watched and the answer is counted; its body must have been read. Without a usage in the end it
    has failed.
    """

    def __init__(self, desk: Desk, request: Request, route: str) -> None:
        self._metrics = desk.metrics
        self._watch = desk.watch
        self._transport = cast(Transport, request.transport)
        self._route = route
        self._clock = asyncio.get_running_loop().time
        self._started_s = self._clock()
        self.usage: Usage | None = None

    def __enter__(self) -> "Measured":
        self._metrics.on_begin()
        self._watch.begin(self._transport)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._watch.end(self._transport)
        end = "failed"
        if isinstance(error, asyncio.CancelledError):
            end = "cut"
        elif error is None and self.usage is not None:
            end = "complete"
            self._metrics.on_tokens(self.usage.prompt_tokens, self.usage.completion_tokens)
        self._metrics.on_end(self._route, end, self.seconds())

    def first(self) -> None:
        """Its first token is there."""
        self._metrics.on_first(self.seconds())

    def seconds(self) -> float:
        """How long it has been running."""
        return self._clock() - self._started_s
