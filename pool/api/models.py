"""GET /v1/models and /v1/models/{id}."""

from urllib.parse import unquote

from sanic import Blueprint, HTTPResponse, Request
from sanic.response import raw

from pool.api.auth import account_of
from pool.api.desk import Desk
from pool.api.ports import HubView
from pool.errors import ModelNotFound
from pool.openai.objects import model_json, model_list, to_json
from pool.routing.types import ModelCard

JSON = "application/json"
_ORDER = ("chat", "completion", "embedding")  # clients that take the first model get one that chats


def routes(desk: Desk) -> Blueprint:
    """The two routes; a model's id may hold slashes."""

    async def every(request: Request) -> HTTPResponse:
        await account_of(desk.keys, request)
        return raw(model_list([described(card) for card in ordered(desk.hub)]), content_type=JSON)

    async def one(request: Request, model: str) -> HTTPResponse:
        await account_of(desk.keys, request)
        model = unquote(model)  # clients send a slash in an id as it is or as %2F
        card = next((card for card in desk.hub.models() if card.model == model), None)
        if card is None:
            raise ModelNotFound(f"The model '{model[:200]}' does not exist here.", param="model", hint="See /v1/models.")
        return raw(to_json(described(card)), content_type=JSON)

    blueprint = Blueprint("models")
    blueprint.add_route(every, "/v1/models", methods=["GET", "HEAD"], ignore_body=True)
    blueprint.add_route(one, "/v1/models/<model:path>", methods=["GET", "HEAD"], ignore_body=True)
    return blueprint


def ordered(hub: HubView) -> list[ModelCard]:
    """Chat models first, those served now before those that are not, then by name."""
    return sorted(hub.models(), key=lambda card: (_ORDER.index(card.kind), card.workers == 0, card.model))


def described(card: ModelCard) -> dict[str, object]:
    """A model as OpenAI lists it, with what a client of this pool may want to know."""
    about: dict[str, object] = {
        "kind": card.kind,
        "context_tokens": card.context_tokens,
        "workers": card.workers,
        "tools": card.tool_format != "",
        "reasoning": card.reasoning_format != "",
    }
    return model_json(card.model, created=card.created, owned_by=card.owned_by, about=about)
