"""/healthz, /readyz, /v1/status and /metrics: how the pool is, for machines."""

import ipaddress
import time

from sanic import Blueprint, HTTPResponse, Request
from sanic.response import raw

from pool.api.auth import account_of
from pool.api.demand import lacking
from pool.api.desk import Desk
from pool.api.models import ordered
from pool.openai.objects import to_json

JSON = "application/json"
EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"  # Prometheus' text format
_GET = ("GET", "HEAD")


def routes(desk: Desk) -> Blueprint:
    """The four routes."""

    async def healthz(_request: Request) -> HTTPResponse:
        return raw(to_json({"status": "alive"}), content_type=JSON)

    async def readyz(_request: Request) -> HTTPResponse:
        reason = await desk.health.unready()
        told: dict[str, object] = {"status": "ready"} if reason is None else {"status": "not ready", "reason": reason}
        return raw(to_json(told), 200 if reason is None else 503, content_type=JSON)

    async def status(_request: Request) -> HTTPResponse:
        return raw(to_json(_status(desk, time.time())), content_type=JSON)

    async def metrics(request: Request) -> HTTPResponse:
        if not is_local(request):
            await account_of(desk.keys, request)
        return raw(desk.metrics.text(), content_type=EXPOSITION)

    blueprint = Blueprint("health")
    for handler, path in ((healthz, "/healthz"), (readyz, "/readyz"), (status, "/v1/status"), (metrics, "/metrics")):
        blueprint.add_route(handler, path, methods=_GET, ignore_body=True)
    return blueprint


def _status(desk: Desk, now_s: float) -> dict[str, object]:
    return {
        "name": desk.settings.name,
        "version": desk.settings.version,
        "uptime_s": round(now_s - desk.started_s, 1),
        "workers": desk.hub.workers,
        "resting": desk.hub.resting,
        "running": desk.hub.running,
        "queued": desk.hub.queued,
        "lacks": lacking(desk.hub.demand()),
        "models": [{"id": card.model, "kind": card.kind, "workers": card.workers} for card in ordered(desk.hub)],
    }


def is_local(request: Request) -> bool:
    """Whether the peer is this machine itself, and not a proxy on it that speaks for somebody else."""
    if request.headers.get("x-forwarded-for") or request.headers.get("forwarded"):
        return False
    try:
        return ipaddress.ip_address(request.ip).is_loopback
    except ValueError:
        return False
