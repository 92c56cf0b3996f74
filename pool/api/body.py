"""A request's body, with a bound on its size and on the time it takes."""

import asyncio
from typing import Any

from sanic import Request

from pool.api.room import SMALL_BYTES, Hold, Room
from pool.api.settings import Settings
from pool.errors import InvalidRequest, PayloadTooLarge

LINGER_S = 2.0  # how long a refused client may go on sending before it is cut (nginx: lingering_timeout 5 s)
LINGER_BYTES = 64 * 1024 * 1024


class BodyTooSlow(InvalidRequest):
    """The body did not arrive in time."""

    status = 408
    code = "request_timeout"


async def read_body(request: Request, settings: Settings, hold: Hold) -> bytes:
    """The whole body. Raises PayloadTooLarge, BodyTooSlow, Unavailable (no room for it now), InvalidRequest (encoded)."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise InvalidRequest("Send the body without a content-encoding.")
    limit = settings.max_body_bytes
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and (len(length) > 18 or int(length) > limit):
        raise _too_large(limit)
    try:
        if _is_here(request):
            body = await _read(request, limit, hold)  # without a clock: there is nothing to wait for
        else:
            async with asyncio.timeout(settings.body_timeout_s):
                body = await _read(request, limit, hold)
    except asyncio.TimeoutError:
        raise BodyTooSlow(f"The body did not arrive within {settings.body_timeout_s:g} s.") from None
    # Sanic pauses reading once 64 KiB are buffered and goes on when more is awaited; the last part leaves the socket
    # paused, and a paused socket never tells that the client is gone (measured with 25.12.1, November 2026).
    request.transport.resume_reading()  # type: ignore[attr-defined]
    return body


def _is_here(request: Request) -> bool:
    """Whether all of the body stands in Sanic's buffer already."""
    http: Any = request.stream
    return http.request_body is True and not http.expecting_continue and len(http.recv_buffer) >= http.request_bytes_left


async def discard_body(request: Request, room: Room) -> None:
    """Read on for a while after a refusal: closing a socket with unread data resets it, and the reply would be lost."""
    if _is_here(request):
        await _discard(request.stream, room)
        return
    try:
        await asyncio.wait_for(_discard(request.stream, room), LINGER_S)
    except asyncio.TimeoutError:
        return


async def _discard(stream: Any, room: Room) -> None:
    left = LINGER_BYTES
    while stream.request_body and left > 0:
        size = len(await stream.read() or b"")
        left -= size
        if size >= SMALL_BYTES:
            await room.pace(size)


async def _read(request: Request, limit: int, hold: Hold) -> bytes:
    parts: list[bytes] = []
    size = 0
    try:
        while part := await request.stream.read():  # type: ignore[union-attr]
            size += len(part)
            if size > limit:
                raise _too_large(limit)
            hold.grow(size)
            parts.append(part)
            await hold.pace(len(part))
    except BaseException:
        parts.clear()  # the error's traceback would keep them, while the refused client is heard out
        raise
    return b"".join(parts)


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The body is larger than the {limit} bytes that this pool accepts.")
