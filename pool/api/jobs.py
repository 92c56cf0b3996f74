"""GET /v1/jobs/{id}: where a request of one's own stands, or how it was answered; `id` is in `x_iamine` of every answer."""

from sanic import Blueprint, HTTPResponse, Request
from sanic.response import raw

from pool.api.auth import account_of
from pool.api.desk import Desk
from pool.dispatch.jobs import JobView
from pool.openai.objects import to_json

JSON = "application/json"


def routes(desk: Desk) -> Blueprint:
    """The one route."""

    async def one(request: Request, job: str) -> HTTPResponse:
        account = await account_of(desk.keys, request)
        return raw(to_json(told(await desk.jobs.view(job, account))), content_type=JSON)

    blueprint = Blueprint("jobs")
    blueprint.add_route(one, "/v1/jobs/<job:str>", methods=["GET", "HEAD"], ignore_body=True)
    return blueprint


def told(view: JobView) -> dict[str, object]:
    """The job as JSON: counts, names and reasons, no text."""
    return {
        "id": view.job,
        "object": "iamine.job",
        "status": view.status,
        "model": view.model,
        "tier": view.tier,
        "degraded": view.degraded,
        "tier_reason": view.tier_reason,
        "reason": view.reason,
        "created_at": round(view.created_at, 3),
        "finished_at": None if view.finished_at is None else round(view.finished_at, 3),
        "waited_s": view.waited_s,
        "usage": {
            "prompt_tokens": view.prompt_tokens,
            "completion_tokens": view.completion_tokens,
            "total_tokens": view.prompt_tokens + view.completion_tokens,
        },
        "segments": [{"worker": one.worker, "from": one.start, "to": one.stop} for one in view.segments],
        "takeovers": [
            {"choice": choice, "worker": one.worker, "token": one.token, "why": one.why, "after_s": one.after_s}
            for choice, one in view.takeovers
        ],
    }
