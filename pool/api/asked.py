"""The request as Sanic makes it, but for addresses that cannot be read."""

from typing import Any

from sanic import Request

NOBODY = "NONE"  # the method of the request that Sanic makes up to answer one that it cannot read


class Asked(Request):
    """Sanic answers an unreadable address by an error for a made-up request with the same address, and fails over it again.

    (25.12: the client got no answer, and the log a traceback of 30 lines for each.)
    """

    def __init__(self, url_bytes: bytes, headers: Any, version: str, method: str, *more: Any, **named: Any) -> None:
        super().__init__(b"*" if method == NOBODY else url_bytes, headers, version, method, *more, **named)
