"""One job's events on their way to whoever reads them."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from itertools import chain

from pool.errors import PoolError
from pool.routing.types import Delta, Ended, JobEvent, Queued, Vectors

LOOSE = 256


class Stream:
    """An async iterator of a job's events. A slow reader finds deltas joined, so what waits here is bounded by the answer."""

    def __init__(self, on_cancel: Callable[[], None]) -> None:
        self._events: deque[JobEvent] = deque()
        self._error: PoolError | None = None
        self._over = False
        self._loose = 0  # deltas at the end that are not joined yet
        self._reader: asyncio.Future[None] | None = None  # who waits for the next event
        self._on_cancel = on_cancel

    def put(self, event: JobEvent) -> None:
        """One more event; nothing is taken after the end."""
        if self._over:
            return
        if isinstance(event, Delta):
            self._put_delta(event)
        elif isinstance(event, Queued) and self._events and isinstance(self._events[-1], Queued):
            self._events[-1] = event
        else:
            self._over = isinstance(event, _LAST)
            self._events.append(event)
        if self._reader is not None:
            self._wake()

    def _put_delta(self, event: Delta) -> None:
        """Deltas are joined when they are read; those of a slow reader now and then before, so that they take little room.

        Joining each with the one before it would take ever longer: the loop stood still for seconds behind readers of long
        answers who read nothing (bench/storm.py).
        """
        self._loose = self._loose + 1 if self._events and isinstance(self._events[-1], Delta) else 1
        self._events.append(event)
        if self._loose == LOOSE:
            self._loose = 0
            last = [self._events.pop() for _ in range(LOOSE)][::-1]
            self._events.append(_joined([delta for delta in last if isinstance(delta, Delta)]))

    def fail(self, error: PoolError) -> None:
        """The job is over with an error, raised to the reader after what was put before."""
        if not self._over:
            self._over = True
            self._error = error
            self._wake()

    def cancel(self) -> None:
        """The reader is no longer interested. Repeating it is harmless."""
        if not self._over:
            self._over = True
            self._wake()
            self._on_cancel()

    def _wake(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None and not reader.done():
            reader.set_result(None)

    def __aiter__(self) -> "Stream":
        return self

    async def __anext__(self) -> JobEvent:
        while (event := self.at_hand()) is None:
            if self._error is not None:
                raise self._error
            if self._over:
                raise StopAsyncIteration
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        return event

    def at_hand(self) -> JobEvent | None:
        """The next event, if it is there already; all deltas at once."""
        if not self._events:
            return None
        event = self._events.popleft()
        if not isinstance(event, Delta):
            return event
        deltas = [event]
        while self._events and isinstance(following := self._events[0], Delta):
            deltas.append(following)
            self._events.popleft()
        self._loose = 0
        return _joined(deltas) if deltas[1:] else event


_LAST = (Ended, Vectors)


def _joined(deltas: Sequence[Delta]) -> Delta:
    return Delta(
        index=deltas[0].index,
        ids=tuple(chain.from_iterable(delta.ids for delta in deltas)),
        text="".join([delta.text for delta in deltas]),
        logprobs=tuple(chain.from_iterable(delta.logprobs for delta in deltas)),
    )
