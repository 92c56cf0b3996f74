"""POST /v1/responses, streamed and plain; nothing is kept, so there is nothing to fetch by its id."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from sanic import Blueprint, HTTPResponse, Request
from sanic.response import raw

from pool.api.auth import account_of
from pool.api.blocks import BlockWriter
from pool.api.counting import prompt_tokens
from pool.api.desk import Desk
from pool.api.entry import Entered
from pool.api.named import seed_of
from pool.api.serving import JSON, Dialect, serve
from pool.dispatch.answer import Answer
from pool.dispatch.events import Done
from pool.errors import NotFound, PoolError
from pool.openai.objects import to_json
from pool.openai.responses.events import ResponseEvents
from pool.openai.responses.objects import whole_response
from pool.openai.responses.request import PARAMS, ResponsesRequest, parse_responses
from pool.openai.types import Choice


def routes(desk: Desk) -> Blueprint:
    """The routes."""

    async def create(request: Request) -> HTTPResponse | None:
        async with Entered(desk, request) as guest:
            asked = parse_responses(guest.body, seed=seed_of(request))
            with told_by(PARAMS):
                return await serve(desk, request, _dialect(asked), asked.chat, guest)

    async def input_tokens(request: Request) -> HTTPResponse:
        async with Entered(desk, request) as guest:
            asked = parse_responses(guest.body, seed=0).chat.but(max_tokens=0, stream=False)
            with told_by(PARAMS):
                counted = await prompt_tokens(desk, request, "input_tokens", asked, guest.account)
            return raw(to_json({"object": "response.input_tokens", "input_tokens": counted}), content_type=JSON)

    async def stored(request: Request, response: str) -> HTTPResponse:
        await account_of(desk.keys, request)
        raise NotFound(
            f"There is no response '{response[:80]}': this pool stores none.", hint="Keep the answer that POST gave."
        )

    blueprint = Blueprint("responses")
    blueprint.add_route(create, "/v1/responses", methods=["POST"], stream=True)
    blueprint.add_route(input_tokens, "/v1/responses/input_tokens", methods=["POST"], stream=True)
    blueprint.add_route(stored, "/v1/responses/<response:str>", methods=["GET", "DELETE"], ignore_body=True)
    return blueprint


@contextmanager
def told_by(params: Mapping[str, str]) -> Iterator[None]:
    """Errors name this dialect's parameters."""
    try:
        yield
    except PoolError as error:
        error.param = params.get(error.param or "", error.param)
        raise


def _dialect(asked: ResponsesRequest) -> Dialect:
    def writer(answer: Answer, _include_usage: bool) -> BlockWriter:
        return BlockWriter(ResponseEvents(asked, answer.job, answer.head), answer.usage)

    def whole(answer: Answer, choices: Sequence[Choice], done: Done) -> bytes:
        return whole_response(asked, answer.job, answer.head, choices[0], done.usage, done.origin)

    return Dialect(name="responses", writer=writer, whole=whole)
