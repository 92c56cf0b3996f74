"""The body of a streamed response: chunks of RFC 9112, 7.1, given to Sanic's protocol without the calls in between.

Sanic's protocol still waits for a client that reads slowly, and still refuses to write to one that is gone.
"""

from typing import Any

from sanic.response import BaseHTTPResponse


class Outlet:
    """A response whose header is out. What Sanic would not send in chunks goes its usual way."""

    def __init__(self, response: BaseHTTPResponse) -> None:
        self._response = response
        http: Any = response.stream
        self._chunked = http.response_func == http.http1_response_chunked
        self._write = http.protocol.send

    async def send(self, data: bytes) -> None:
        """Some more; not b"", which would end it."""
        if self._chunked:
            await self._write(b"%x\r\n%b\r\n" % (len(data), data))
        else:
            await self._response.send(data)

    async def end(self, data: bytes) -> None:
        """The last, and the end of the body, in one piece."""
        await self._response.send(data, end_stream=True)
