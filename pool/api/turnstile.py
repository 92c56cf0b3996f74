"""Holds up requests while the event loop is late, and refusals for a moment: who is told no at once asks again at once."""

import asyncio
import time

from iamine.ids import AccountId
from pool.routing.turns import Turns

LOOK_EVERY_S = 0.05
IDLE_S = 5.0  # without a request for so long nobody looks any more
MOST_LINGERING = 4096  # refusals that wait; those beyond are told at once


class Turnstile:
    """Before a request is read. `linger_s`: how long a refusal takes."""

    def __init__(self, turns: Turns, *, linger_s: float) -> None:
        self._turns = turns
        self._linger_s = linger_s
        self._lingering = 0
        self._used_at = 0.0
        self._task: asyncio.Task[None] | None = None

    def wait_s(self, account: AccountId) -> float:
        """How long the account's next request has to wait."""
        self._used_at = now = asyncio.get_running_loop().time()
        if self._task is None:
            self._task = asyncio.create_task(self._look())
        return self._turns.wait_s(account, now)

    async def linger(self) -> None:
        """Before a refusal is told."""
        if self._lingering >= MOST_LINGERING:
            return
        self._lingering += 1
        try:
            await asyncio.sleep(self._linger_s)
        finally:
            self._lingering -= 1

    async def _look(self) -> None:
        """Measure how late the loop is and how much it works, while requests come, and no longer."""
        clock = asyncio.get_running_loop().time
        try:
            while (before := clock()) - self._used_at < IDLE_S:
                worked = time.thread_time()
                await asyncio.sleep(LOOK_EVERY_S)
                passed_s = clock() - before
                self._turns.looked(passed_s - LOOK_EVERY_S, (time.thread_time() - worked) / passed_s)
        finally:
            self._task = None
