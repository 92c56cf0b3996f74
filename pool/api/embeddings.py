"""POST /v1/embeddings."""

from sanic import Blueprint, HTTPResponse, Request
from sanic.response import raw

from pool.api.desk import Desk
from pool.api.entry import Entered
from pool.api.measured import Measured
from pool.openai.embeddings import parse_embeddings
from pool.openai.objects import embeddings_list
from pool.openai.types import Usage

JSON = "application/json"


def routes(desk: Desk) -> Blueprint:
    """The route."""

    async def embeddings(request: Request) -> HTTPResponse:
        async with Entered(desk, request) as guest:
            asked = parse_embeddings(guest.body)
            with Measured(desk, request, "embeddings") as measure:
                told = await desk.dispatch.embeddings(asked, guest.account)
                measure.usage = Usage(prompt_tokens=told.prompt_tokens, completion_tokens=0)
            guest.used_tokens = told.prompt_tokens
        request.ctx.request_id = told.job
        body = embeddings_list(told.origin.model, told.vectors, told.prompt_tokens, told.origin, base64=asked.base64)
        return raw(body, content_type=JSON)

    blueprint = Blueprint("embeddings")
    blueprint.add_route(embeddings, "/v1/embeddings", methods=["POST"], stream=True)
    return blueprint
