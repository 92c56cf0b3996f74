"""Waiting for an event with a limit, in a way that a cancellation is never lost."""

import asyncio


async def happens(event: asyncio.Event, within_s: float) -> bool:
    """Whether the event comes within this time.

    Not by `asyncio.wait_for`: before Python 3.12 it swallows a cancellation that comes in the same turn as the event.
    """
    if event.is_set():
        return True
    waiting = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({waiting}, timeout=max(0.0, within_s))
    finally:
        waiting.cancel()
    return event.is_set()
