"""The page at / and the API's description at /openapi.json."""

import html
from pathlib import Path

from sanic import Blueprint, HTTPResponse, Request
from sanic.response import raw

from pool.api.desk import Desk
from pool.api.models import ordered

FOLDER = Path(__file__).parent
_SECURITY = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


def routes(desk: Desk) -> Blueprint:
    """The two routes; their files are read once."""
    page = (FOLDER / "index.html").read_text()
    description = (FOLDER / "openapi.json").read_bytes()

    async def index(request: Request) -> HTTPResponse:
        models = [card.model for card in ordered(desk.hub) if card.kind != "embedding"]
        shown = {
            "name": desk.settings.name,
            "version": desk.settings.version,
            "url": f"{scheme(request)}://{request.host}",
            "model": models[0] if models else "MODEL",
            "models": ", ".join(models) or "none yet: no worker has connected",
            "workers": str(desk.hub.workers),
        }
        return raw(fill(page, shown).encode(), headers=_SECURITY, content_type="text/html; charset=utf-8")

    async def openapi(_request: Request) -> HTTPResponse:
        return raw(description, content_type="application/json")

    blueprint = Blueprint("pages")
    blueprint.add_route(index, "/", methods=["GET", "HEAD"], ignore_body=True)
    blueprint.add_route(openapi, "/openapi.json", methods=["GET", "HEAD"], ignore_body=True)
    return blueprint


def scheme(request: Request) -> str:
    """How people reached us: a proxy in front says so. It is only shown, so it need not be trusted."""
    return "https" if request.headers.get("x-forwarded-proto") == "https" else str(request.scheme)


def fill(page: str, values: dict[str, str]) -> str:
    """The page with {{name}} replaced by each value, escaped."""
    for name, value in values.items():
        page = page.replace("{{" + name + "}}", html.escape(value))
    return page
