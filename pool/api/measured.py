"""One request from its acceptance to its end: watched, counted and timed."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from sanic import Request

from pool.api.desk import Desk
from pool.api.metrics import Metrics
from pool.api.watch import Transport
from pool.openai.types import Usage


class Measured:
    """What is learned of a request while it is answered."""

    def __init__(self, metrics: Metrics, started_s: float) -> None:
        self._metrics = metrics
        self._started_s = started_s
        self.usage: Usage | None = None

    def first(self) -> None:
        """Its first token is there."""
        self._metrics.on_first(self.seconds())

    def seconds(self) -> float:
        """How long it has been running."""
        return asyncio.get_running_loop().time() - self._started_s


@contextmanager
def measured(desk: Desk, request: Request, route: str) -> Iterator[Measured]:
    """Watch the client and count the answer; its body must have been read. Without a usage in the end it has failed."""
    found = Measured(desk.metrics, asyncio.get_running_loop().time())
    desk.metrics.on_begin()
    end = "failed"
    try:
        with desk.watch.over(cast(Transport, request.transport)):
            yield found
        if found.usage is not None:
            end = "complete"
            desk.metrics.on_tokens(found.usage.prompt_tokens, found.usage.completion_tokens)
    except asyncio.CancelledError:
        end = "cut"
        raise
    finally:
        desk.metrics.on_end(route, end, found.seconds())
