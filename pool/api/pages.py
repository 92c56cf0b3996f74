"""The pages at / and /claim, and the API's description at /openapi.json."""

import base64
import hashlib
import html
import re
from pathlib import Path

from sanic import Blueprint, HTTPResponse, Request
from sanic.response import raw

from pool.api.desk import Desk
from pool.api.models import ordered

FOLDER = Path(__file__).parent
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
_SECURITY = {"content-security-policy": _POLICY, "x-content-type-options": "nosniff", "referrer-policy": "no-referrer"}
_SCRIPT = re.compile("<script>(.*?)</script>", re.DOTALL)
HTML = "text/html; charset=utf-8"


def routes(desk: Desk) -> Blueprint:
    """The three routes; their files are read once."""
    page, claiming = ((FOLDER / name).read_text() for name in ("index.html", "claim.html"))
    scripted = _SECURITY | {"content-security-policy": with_script(_POLICY, claiming)}
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
        return raw(fill(page, shown).encode(), headers=_SECURITY, content_type=HTML)

    async def claim(request: Request) -> HTTPResponse:
        settings = desk.settings
        shown = {"name": settings.name, "version": settings.version, "url": f"{scheme(request)}://{request.host}"}
        return raw(fill(claiming, shown).encode(), headers=scripted, content_type=HTML)

    async def openapi(_request: Request) -> HTTPResponse:
        return raw(description, content_type="application/json")

    blueprint = Blueprint("pages")
    blueprint.add_route(index, "/", methods=["GET", "HEAD"], ignore_body=True)
    blueprint.add_route(claim, "/claim", methods=["GET", "HEAD"], ignore_body=True)
    blueprint.add_route(openapi, "/openapi.json", methods=["GET", "HEAD"], ignore_body=True)
    return blueprint


def with_script(policy: str, page: str) -> str:
    """The policy that lets this page's own script run, known by its hash (CSP 3, 2.3.1), and ask this pool only."""
    found = _SCRIPT.search(page)
    assert found is not None, "the page has a script"
    digest = base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()
    return f"{policy}; script-src 'sha256-{digest}'; connect-src 'self'"


def scheme(request: Request) -> str:
    """How people reached us: a proxy in front says so. It is only shown, so it need not be trusted."""
    return "https" if request.headers.get("x-forwarded-proto") == "https" else str(request.scheme)


def fill(page: str, values: dict[str, str]) -> str:
    """The page with {{name}} replaced by each value, escaped."""
    for name, value in values.items():
        page = page.replace("{{" + name + "}}", html.escape(value))
    return page
