"""A request's body, with a bound on its size and on the time it takes."""

import asyncio

from sanic import Request

from pool.api.settings import Settings
from pool.errors import InvalidRequest, PayloadTooLarge


async def read_body(request: Request, settings: Settings) -> bytes:
    """The whole body. Raises PayloadTooLarge, or InvalidRequest for one that is encoded or too slow."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise InvalidRequest("Send the body without a content-encoding.")
    limit = settings.max_body_bytes
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and (len(length) > 18 or int(length) > limit):
        raise _too_large(limit)
    try:
        body = await asyncio.wait_for(_read(request, limit), settings.body_timeout_s)
    except asyncio.TimeoutError:
        raise InvalidRequest(f"The body did not arrive within {settings.body_timeout_s:g} s.") from None
    # Sanic pauses reading once 64 KiB are buffered and goes on when more is awaited; the last part leaves the socket
    # paused, and a paused socket never tells that the client is gone (measured with 25.12.1, November 2026).
    if request.transport is not None and not request.transport.is_closing():
        request.transport.resume_reading()  # type: ignore[attr-defined]
    return body


async def _read(request: Request, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := await request.stream.read():  # type: ignore[union-attr]
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
    return b"".join(parts)


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The body is larger than the {limit} bytes that this pool accepts.")
