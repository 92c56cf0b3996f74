"""POST /v1/responses, streamed and plain; nothing is kept, so there is nothing to fetch by its id."""

from collections.abc import Sequence

from sanic import Blueprint, HTTPResponse, Request

from pool.api.auth import account_of
from pool.api.blocks import BlockWriter
from pool.api.desk import Desk
from pool.api.entry import entered
from pool.api.named import seed_of
from pool.api.serving import Dialect, serve
from pool.dispatch.answer import Answer
from pool.dispatch.events import Done
from pool.errors import NotFound, PoolError
from pool.openai.responses.events import ResponseEvents
from pool.openai.responses.objects import whole_response
from pool.openai.responses.request import PARAMS, ResponsesRequest, parse_responses
from pool.openai.types import Choice


def routes(desk: Desk) -> Blueprint:
    """The routes."""

    async def create(request: Request) -> HTTPResponse | None:
        async with entered(desk, request) as guest:
            asked = parse_responses(guest.body, seed=seed_of(request))
            try:
                return await serve(desk, request, _dialect(asked), asked.chat, guest)
            except PoolError as error:
                error.param = PARAMS.get(error.param or "", error.param)
                raise

    async def stored(request: Request, response: str) -> HTTPResponse:
        await account_of(desk.keys, request)
        raise NotFound(
            f"There is no response '{response[:80]}': this pool stores none.", hint="Keep the answer that POST gave."
        )

    blueprint = Blueprint("responses")
    blueprint.add_route(create, "/v1/responses", methods=["POST"], stream=True)
    blueprint.add_route(stored, "/v1/responses/<response:str>", methods=["GET", "DELETE"], ignore_body=True)
    return blueprint


def _dialect(asked: ResponsesRequest) -> Dialect:
    def writer(answer: Answer) -> BlockWriter:
        return BlockWriter(ResponseEvents(asked, answer.job, answer.head), answer.usage)

    def whole(answer: Answer, choices: Sequence[Choice], done: Done) -> bytes:
        return whole_response(asked, answer.job, answer.head, choices[0], done.usage, done.origin)

    return Dialect(name="responses", writer=writer, whole=whole)
