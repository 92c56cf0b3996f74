"""How much memory all requests' bodies may take together: many large ones at once would end the pool for everybody."""

import asyncio
import time
from collections.abc import Callable

from pool.errors import Unavailable

SMALL_BYTES = 64 * 1024  # of each body; so much is never refused, and read at once
LARGE_BYTES_PER_S = 64 * 1024 * 1024  # of what is beyond that; reading 1 MB takes a millisecond of processor
PAUSE_S = 0.001  # less is not waited for


class Hold:
    """What one request has taken."""

    def __init__(self, room: "Room") -> None:
        self._room = room
        self.taken_bytes = 0

    def grow(self, size_bytes: int) -> None:
        """The body has this size by now. Raises Unavailable when there is no room for it."""
        more = max(0, size_bytes - SMALL_BYTES) - self.taken_bytes
        if more > self._room.left_bytes:
            raise Unavailable("Too many large requests are under way.", hint="Send this one again in a few seconds.")
        self._room.left_bytes -= more
        self.taken_bytes += more

    async def pace(self, more_bytes: int) -> None:
        """So much more of it was read; of a small body at once."""
        if self.taken_bytes:
            await self._room.pace(more_bytes)

    def free(self) -> None:
        """The request is over."""
        self._room.left_bytes += self.taken_bytes
        self.taken_bytes = 0


class Room:
    """The memory for bodies, in bytes, and how fast the large ones come in together."""

    def __init__(self, size_bytes: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.left_bytes = size_bytes
        self._clock = clock
        self._free_at_s = 0.0

    async def pace(self, size_bytes: int) -> None:
        """After so much of a large body was read: wait, so that reading leaves time for everything else."""
        now = self._clock()
        self._free_at_s = max(now, self._free_at_s) + size_bytes / LARGE_BYTES_PER_S
        if self._free_at_s - now > PAUSE_S:
            await asyncio.sleep(self._free_at_s - now)

    def hold(self) -> Hold:
        """For one request, which frees it in the end."""
        return Hold(self)
