"""POST /v1/messages: Anthropic's dialect, streamed and plain."""

from collections.abc import Sequence

from sanic import Blueprint, HTTPResponse, Request
from sanic.response import raw

from pool.api.blocks import BlockWriter
from pool.api.counting import prompt_tokens
from pool.api.desk import Desk
from pool.api.entry import Entered
from pool.api.named import seed_of
from pool.api.replies import ANTHROPIC
from pool.api.serving import JSON, Dialect, serve
from pool.dispatch.answer import Answer
from pool.dispatch.events import Done
from pool.openai.anthropic.events import MessageEvents
from pool.openai.anthropic.objects import whole_message
from pool.openai.anthropic.request import parse_count, parse_message
from pool.openai.objects import to_json
from pool.openai.types import Choice


def routes(desk: Desk) -> Blueprint:
    """The two routes; headers of Anthropic's (anthropic-version, anthropic-beta) change nothing here."""

    async def create(request: Request) -> HTTPResponse | None:
        async with Entered(desk, request) as guest:
            asked = parse_message(guest.body, seed=seed_of(request))
            return await serve(desk, request, MESSAGES, asked, guest)

    async def count_tokens(request: Request) -> HTTPResponse:
        async with Entered(desk, request) as guest:
            counted = await prompt_tokens(desk, request, "count_tokens", parse_count(guest.body), guest.account)
            return raw(to_json({"input_tokens": counted}), content_type=JSON)

    blueprint = Blueprint("messages")
    blueprint.add_route(create, ANTHROPIC, methods=["POST"], stream=True)
    blueprint.add_route(count_tokens, f"{ANTHROPIC}/count_tokens", methods=["POST"], stream=True)
    return blueprint


def _writer(answer: Answer, _include_usage: bool) -> BlockWriter:
    return BlockWriter(MessageEvents(answer.job, answer.head), answer.usage)


def _whole(answer: Answer, choices: Sequence[Choice], done: Done) -> bytes:
    return whole_message(answer.job, answer.head, choices[0], done.usage, done.origin)


MESSAGES = Dialect(name="messages", writer=_writer, whole=_whole)
