"""GET /v1/models and /v1/models/{id}, as OpenAI or Anthropic tell them."""

from urllib.parse import unquote

from sanic import Blueprint, HTTPResponse, Request
from sanic.response import raw

from pool.api.auth import account_of
from pool.api.desk import Desk
from pool.api.ports import HubView
from pool.dispatch.route import Pseudo
from pool.errors import ModelNotFound
from pool.openai.anthropic.models import model_info, model_page
from pool.openai.objects import model_json, model_list, to_json
from pool.routing.types import ModelCard

JSON = "application/json"
_ORDER = ("chat", "completion", "embedding")  # clients that take the first model get one that chats


def routes(desk: Desk) -> Blueprint:
    """The two routes; a model's id may hold slashes."""

    async def every(request: Request) -> HTTPResponse:
        await account_of(desk.keys, request)
        concrete = [described(card) for card in ordered(desk.hub)]
        listed = concrete + [pseudo(one) for one in desk.dispatch.pseudo_models()]
        return raw(to_json(model_page(listed)) if is_anthropic(request) else model_list(listed), content_type=JSON)

    async def one(request: Request, model: str) -> HTTPResponse:
        await account_of(desk.keys, request)
        model = unquote(model)  # clients send a slash in an id as it is or as %2F
        found = [described(card) for card in desk.hub.models() if card.model == model]
        found += [pseudo(one) for one in desk.dispatch.pseudo_models() if one.name == model]
        if not found:
            raise ModelNotFound(f"The model '{model[:200]}' does not exist here.", param="model", hint="See /v1/models.")
        return raw(to_json(model_info(found[0]) if is_anthropic(request) else found[0]), content_type=JSON)

    blueprint = Blueprint("models")
    blueprint.add_route(every, "/v1/models", methods=["GET", "HEAD"], ignore_body=True)
    blueprint.add_route(one, "/v1/models/<model:path>", methods=["GET", "HEAD"], ignore_body=True)
    return blueprint


def is_anthropic(request: Request) -> bool:
    """Whether the client says so: both dialects list their models at one address."""
    return "anthropic-version" in request.headers


def ordered(hub: HubView) -> list[ModelCard]:
    """Chat models first, those served now before those that are not, then by name."""
    return sorted(hub.models(), key=lambda card: (_ORDER.index(card.kind), card.workers == 0, card.model))


def pseudo(one: Pseudo) -> dict[str, object]:
    """A name that stands for whichever model fits, as OpenAI lists a model."""
    about: dict[str, object] = {
        "kind": "chat",
        "context_tokens": max(card.context_tokens for card in one.cards),
        "workers": sum(card.workers for card in one.cards),
        "tools": any(card.tool_format for card in one.cards),
        "reasoning": any(card.reasoning_format for card in one.cards),
        "pseudo": True,
    }
    return model_json(one.name, created=min(card.created for card in one.cards), owned_by="iamine", about=about)


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
