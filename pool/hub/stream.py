"""One job's events on their way to whoever reads them."""

import asyncio
from collections import deque
from collections.abc import Callable

from pool.errors import PoolError
from pool.routing.types import Delta, Ended, JobEvent, Queued, Vectors


class Stream:
    """An async iterator of a job's events. A slow reader finds deltas joined, so what waits here is bounded by the answer."""

    def __init__(self, on_cancel: Callable[[], None]) -> None:
        self._events: deque[JobEvent] = deque()
        self._error: PoolError | None = None
        self._over = False
        self._changed = asyncio.Event()
        self._on_cancel = on_cancel

    def put(self, event: JobEvent) -> None:
        """One more event; nothing is taken after the end."""
        if self._over:
            return
        self._over = isinstance(event, _LAST)
        last = self._events[-1] if self._events else None
        if isinstance(last, Delta) and isinstance(event, Delta):
            self._events[-1] = _joined(last, event)
        elif isinstance(last, Queued) and isinstance(event, Queued):
            self._events[-1] = event
        else:
            self._events.append(event)
        self._changed.set()

    def fail(self, error: PoolError) -> None:
        """The job is over with an error, raised to the reader after what was put before."""
        if not self._over:
            self._over = True
            self._error = error
            self._changed.set()

    def cancel(self) -> None:
        """The reader is no longer interested. Repeating it is harmless."""
        if not self._over:
            self._over = True
            self._changed.set()
            self._on_cancel()

    def __aiter__(self) -> "Stream":
        return self

    async def __anext__(self) -> JobEvent:
        while not self._events:
            if self._error is not None:
                raise self._error
            if self._over:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        return self._events.popleft()


_LAST = (Ended, Vectors)


def _joined(first: Delta, second: Delta) -> Delta:
    return Delta(
        index=first.index,
        ids=first.ids + second.ids,
        text=first.text + second.text,
        logprobs=first.logprobs + second.logprobs,
    )
