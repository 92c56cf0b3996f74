"""What is kept of one answer: begun before its first byte, finished once, however it ends."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from iamine.ids import AccountId, JobId, ModelId
from pool.dispatch.ports import Records, Status
from pool.errors import PoolError
from pool.openai.types import Chosen
from pool.routing.types import Segment

BY_NAME = Chosen(tier="", degraded=False, reason="")

log = logging.getLogger("iamine.pool.dispatch")


class Background:
    """Tasks that outlive the request that started them."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, task: "asyncio.Task[None]") -> "asyncio.Task[None]":
        """Keep the task until it is over."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def drain(self, timeout_s: float) -> None:
        """Wait for them, for the pool's end."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_s)


class Ending(Protocol):
    """Where an answer tells its end; Record is one."""

    def finish(
        self, status: Status, *, prompt_tokens: int, completion_tokens: int, segments: Sequence[Segment]
    ) -> "asyncio.Task[None]": ...


class Record:
    """The record of one job."""

    def __init__(
        self,
        records: Records,
        background: Background,
        *,
        job: JobId,
        account: AccountId,
        model: ModelId,
        chosen: Chosen = BY_NAME,
    ) -> None:
        self._records = records
        self._background = background
        self._job = job
        begin = records.begin(
            job=job,
            account=account,
            model=model,
            tier=chosen.tier,
            degraded=chosen.degraded,
            tier_reason=chosen.reason,
        )
        self._begin = background.add(asyncio.create_task(begin))
        self._finish: asyncio.Task[None] | None = None

    async def begun(self) -> None:
        """Wait until the job is on record. A caller that is cancelled does not stop it. Raises Unavailable."""
        await asyncio.shield(self._begin)

    def finish(
        self, status: Status, *, prompt_tokens: int, completion_tokens: int, segments: Sequence[Segment]
    ) -> "asyncio.Task[None]":
        """Record the end, once: later calls change nothing. Returns at once; the task never fails."""
        if self._finish is None:
            work = self._finishing(status, prompt_tokens, completion_tokens, segments)
            self._finish = self._background.add(asyncio.create_task(work))
        return self._finish

    async def _finishing(self, status: Status, prompt_tokens: int, completion_tokens: int, segments: Sequence[Segment]) -> None:
        await asyncio.wait({self._begin})
        if self._begin.cancelled() or self._begin.exception() is not None:
            return  # there is no record to finish, and the client was told
        try:
            await self._records.finish(
                job=self._job,
                status=status,
                prompt_tokens=prompt_tokens,
                completion_tokens=completion_tokens,
                segments=segments,
            )
        except PoolError as error:
            log.error("job %s: its end (%s) could not be recorded: %s", self._job, status, type(error).__name__)
