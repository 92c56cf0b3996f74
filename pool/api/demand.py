"""GET /v1/demand: what this pool lacks, by model and tier, as its workers are told it."""

from dataclasses import asdict

from sanic import Blueprint, HTTPResponse, Request
from sanic.response import raw

from pool.api.auth import account_of
from pool.api.desk import Desk
from pool.openai.objects import to_json
from pool.routing.demand import Figures, ModelFigures, TierFigures

JSON = "application/json"
DIGITS = 3


def routes(desk: Desk) -> Blueprint:
    """The one route."""

    async def demand(request: Request) -> HTTPResponse:
        await account_of(desk.keys, request)
        return raw(to_json(told(desk.hub.demand())), content_type=JSON)

    blueprint = Blueprint("demand")
    blueprint.add_route(demand, "/v1/demand", methods=["GET", "HEAD"], ignore_body=True)
    return blueprint


def told(figures: Figures) -> dict[str, object]:
    """All figures as JSON."""
    models, tiers = [_plain(one) for one in figures.models], [_plain(one) for one in figures.tiers]
    return {"object": "iamine.demand", "models": models, "tiers": tiers}


def lacking(figures: Figures) -> list[dict[str, object]]:
    """What lacks, in short, those that lack most first."""
    models: list[dict[str, object]] = [
        {"model": one.model, "lack_tps": round(one.lack_tps, 1), "waiting": one.waiting, "workers": one.workers}
        for one in figures.models
        if one.lack_tps
    ]
    return models + [{"tier": one.tier, "lack_tps": round(one.lack_tps, 1)} for one in figures.tiers if one.lack_tps]


def _plain(one: ModelFigures | TierFigures) -> dict[str, object]:
    return {name: round(value, DIGITS) if isinstance(value, float) else value for name, value in asdict(one).items()}
