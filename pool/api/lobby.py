"""Where workers are let in: one after the other, for a moment of each turn of the loop.

A thousand who come back at once make half a second's work (two handshakes each); nobody else is to wait for that.
"""

import asyncio
from collections import deque
from collections.abc import Callable

TURN_S = 0.0005  # about two handshakes


class Lobby:
    """Work that may wait for a turn, done in the order it came."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()

    def add(self, work: Callable[[], None]) -> None:
        """Do it soon."""
        self._waiting.append(work)
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + TURN_S
        try:
            while self._waiting and loop.time() < until:
                self._waiting[0]()
                self._waiting.popleft()
        except BaseException:
            self._waiting.popleft()
            raise
        finally:
            if self._waiting:
                loop.call_soon(self._turn)
