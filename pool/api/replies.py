"""What goes with every response: its id, its time, who may read it in a browser, and the count of it."""

import time
from email.utils import formatdate
from functools import lru_cache
from os import urandom

from sanic import Request
from sanic.response import BaseHTTPResponse

from iamine.ids import AccountId
from pool.api.gate import HEADERS, Gate
from pool.api.metrics import Metrics
from pool.api.ports import App

ANTHROPIC = "/v1/messages"
_PREFLIGHT_S = "600"


def install(app: App, *, origins: frozenset[str], metrics: Metrics, gate: Gate) -> None:
    """Finish every response of the app, errors too: http.py calls it when a head is written."""

    def finish(request: Request, response: BaseHTTPResponse) -> None:
        headers, name = response.headers, request_id(request)
        headers["x-request-id"] = name
        headers["date"] = date(int(time.time()))
        if request.path.startswith(ANTHROPIC):
            headers["request-id"] = name  # the name that Anthropic's clients know
        if origins:
            headers.update(cors(request, origins))
        account: AccountId | None = getattr(request.ctx, "account", None)
        if account is not None:
            headers.update(gate.headers(account))
        metrics.on_response(route_of(request), response.status)

    app.ctx.finish = finish


def request_id(request: Request) -> str:
    """The job's id where there is one, else a random one: what a person quotes when asking the operator."""
    known: str | None = getattr(request.ctx, "request_id", None)
    if known is None:
        known = request.ctx.request_id = f"req_{urandom(12).hex()}"
    return known


@lru_cache(maxsize=2)
def date(now_s: int) -> str:
    """HTTP's form of a time (RFC 9110, 5.6.7), seconds since 1970."""
    return formatdate(now_s, usegmt=True)


def route_of(request: Request) -> str:
    """The route's pattern, never the address as sent: metrics need few names."""
    return f"/{request.route.path}" if request.route is not None else "none"


def cors(request: Request, origins: frozenset[str]) -> dict[str, str]:
    """Headers for a browser page of an allowed origin (the Fetch standard's CORS protocol); none for others."""
    origin = request.headers.get("origin")
    if origin is None or not (origin in origins or "*" in origins):
        return {"vary": "origin"} if origins else {}
    found = {
        "access-control-allow-origin": origin,
        "access-control-expose-headers": ", ".join(("x-request-id", "retry-after", *HEADERS)),
        "vary": "origin",
    }
    if request.method == "OPTIONS":
        asked = request.headers.get("access-control-request-headers", "authorization, content-type")
        found["access-control-allow-headers"] = asked
        found["access-control-allow-methods"] = "GET, HEAD, POST, OPTIONS"
        found["access-control-max-age"] = _PREFLIGHT_S
    return found
