"""Sanic's HTTP/1.1 with the response's head written at once: its own way costs as much as all the rest of Sanic's request.

What goes with every response (`app.ctx.finish`, replies.py) is added here, where all of them pass, Sanic's own errors too.
Whatever is not the common case (no body, HEAD, 100-continue) is left to Sanic.
"""

from functools import lru_cache
from typing import Any

from sanic.headers import format_http1_response
from sanic.http import Http, Stage
from sanic.server import HttpProtocol


class QuickHttp(Http):
    """One connection's requests and responses."""

    __slots__ = ()

    async def http1_response_header(self, data: bytes, end_stream: bool) -> None:
        """Write the head, and the body as far as it is there."""
        http: Any = self  # Sanic's own types know less than it does
        response = http.response
        if not data and response.body:
            data, end_stream = response.body, True
        self.protocol.app.ctx.finish(self.request, response)
        if self.head_only or self.expecting_continue or response.status < 200 or response.status in (204, 304):
            await super().http1_response_header(data, end_stream)
            return
        headers = response.headers
        headers.setdefault("content-type", response.content_type)
        headers["connection"] = "keep-alive" if self.keep_alive else "close"
        if end_stream:
            headers["content-length"] = str(len(data))
            http.response_func = None
        else:
            headers["transfer-encoding"] = "chunked"
            http.response_func = self.http1_response_chunked
            data = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
        self.response_size = len(data)
        await self._send(head(response.status, headers) + data)
        self.stage = Stage.IDLE if end_stream else Stage.RESPONSE


class QuickProtocol(HttpProtocol):
    """A connection that speaks it."""

    __slots__ = ()
    HTTP_CLASS = QuickHttp


def head(status: int, headers: Any) -> bytes:
    """The status line and the header fields (RFC 9112, 4 and 5). A value never begins a line of its own."""
    lines = [f"{name}: {value}" for name, value in headers.items()]
    text = "\r\n".join(lines)
    if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1:
        text = "\r\n".join(line.replace("\r", "").replace("\n", "") for line in lines)
    return b"%b%b\r\n\r\n" % (_status_line(status), text.encode(errors="surrogateescape"))


@lru_cache(maxsize=64)
def _status_line(status: int) -> bytes:
    """`HTTP/1.1 200 OK`, with its end."""
    return bytes(format_http1_response(status, ())).removesuffix(b"\r\n")
