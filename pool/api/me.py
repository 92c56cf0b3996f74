"""/v1/me/workers: the account's own workers, and how to claim one by its code."""

from urllib.parse import unquote

from sanic import Blueprint, HTTPResponse, Request
from sanic.response import raw

from pool.api.auth import account_of
from pool.api.desk import Desk
from pool.api.entry import Entered
from pool.dispatch.claims import Owned
from pool.openai.me import parse_claim
from pool.openai.objects import to_json

JSON = "application/json"


def routes(desk: Desk) -> Blueprint:
    """The three routes. `stream`: the body is read by us, after the key was checked."""

    async def claim(request: Request) -> HTTPResponse:
        async with Entered(desk, request) as guest:
            found = await desk.claims.claim(guest.account, parse_claim(guest.body))
        return raw(to_json(told(found)), content_type=JSON)

    async def every(request: Request) -> HTTPResponse:
        account = await account_of(desk.keys, request)
        with desk.gate.place(account):
            owned = await desk.claims.owned(account)
        return raw(to_json({"object": "list", "data": [told(one) for one in owned]}), content_type=JSON)

    async def release(request: Request, worker: str) -> HTTPResponse:
        account = await account_of(desk.keys, request)
        with desk.gate.place(account):
            await desk.claims.release(account, unquote(worker))
        return raw(to_json({"id": worker, "object": "iamine.worker", "deleted": True}), content_type=JSON)

    blueprint = Blueprint("me")
    blueprint.add_route(claim, "/v1/me/workers/claim", methods=["POST"], stream=True)
    blueprint.add_route(every, "/v1/me/workers", methods=["GET", "HEAD"], ignore_body=True)
    blueprint.add_route(release, "/v1/me/workers/<worker:str>", methods=["DELETE"], ignore_body=True)
    return blueprint


def told(one: Owned) -> dict[str, object]:
    """A worker as JSON; `models` are those that it serves now."""
    return {
        "id": one.worker,
        "object": "iamine.worker",
        "name": one.name,
        "claimed_at": round(one.claimed_at, 3),
        "last_seen": None if one.last_seen is None else round(one.last_seen, 3),
        "linked": one.models is not None,
        "models": list(one.models or ()),
    }
