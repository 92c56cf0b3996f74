"""What is kept of one answer: begun before its first byte, finished once, however it ends."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from pool.dispatch.ports import Records, Status
from pool.routing.types import Segment, Start

RECORD_WAIT_S = 2.0  # how long a whole answer that is on record waits for its end's; that goes on without it

log = logging.getLogger("iamine.pool.dispatch")


class Background:
    """What outlives the request that started it."""

    def __init__(self) -> None:
        self._open: set[asyncio.Future[None]] = set()

    def add(self, future: "asyncio.Future[None]") -> None:
        """Keep it until it is over."""
        self._open.add(future)
        future.add_done_callback(self._open.discard)

    async def drain(self, timeout_s: float) -> None:
        """Wait for them, for the pool's end."""
        if self._open:
            await asyncio.wait(self._open, timeout=timeout_s)


class Ending(Protocol):
    """Where an answer tells its end; Record is one."""

    def finish(
        self, status: Status, *, prompt_tokens: int, completion_tokens: int, segments: Sequence[Segment]
    ) -> "asyncio.Future[None]": ...

    async def finished(self) -> None:
        """Wait until the end that was told is on record, as far as a client has to wait for it. Raises Unavailable."""


class Record:
    """The record of one job. `durably`: it is on record before it begins."""

    def __init__(self, records: Records, background: Background, start: Start, *, durably: bool = False) -> None:
        self._records = records
        self._background = background
        self._start = start
        self._durably = durably
        self._refused = False
        self._end: asyncio.Future[None] | None = None

    async def begun(self) -> None:
        """Wait until the job may begin. Raises Unavailable."""
        try:
            await self._records.begin(self._start, durably=self._durably)
        except Exception:
            self._refused = True
            raise

    def finish(
        self, status: Status, *, prompt_tokens: int, completion_tokens: int, segments: Sequence[Segment]
    ) -> "asyncio.Future[None]":
        """Record the end, once: later calls change nothing. Returns at once."""
        if self._end is None and self._refused:  # there is nothing to record, and the client was told
            self._end = asyncio.get_running_loop().create_future()
            self._end.set_result(None)
        elif self._end is None:
            self._end = self._records.finish(
                self._start,
                status=status,
                prompt_tokens=prompt_tokens,
                completion_tokens=completion_tokens,
                segments=segments,
            )
            self._background.add(self._end)
            self._end.add_done_callback(self._recorded)
        return self._end

    async def finished(self) -> None:
        """A job that is on record was paid for with that: its end is waited for shortly. Of any other nothing is told as
        whole before all of it is on record.
        """
        assert self._end is not None, "finish() comes first"
        if self._records.is_kept(self._start.job):
            await asyncio.wait({self._end}, timeout=RECORD_WAIT_S)
        else:
            await self._end

    def _recorded(self, end: "asyncio.Future[None]") -> None:
        error = None if end.cancelled() else end.exception()
        if error is not None:
            log.error("job %s: its end could not be recorded: %s", self._start.job, type(error).__name__)
