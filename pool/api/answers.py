"""POST /v1/chat/completions and /v1/completions, streamed and plain."""

from collections.abc import Callable, Sequence

from sanic import Blueprint, HTTPResponse, Request

from pool.api.desk import Desk
from pool.api.entry import Entered
from pool.api.named import seed_of
from pool.api.serving import Dialect, serve
from pool.api.sse import ChunkWriter
from pool.dispatch.answer import Answer
from pool.dispatch.events import Done
from pool.openai.chat import parse_chat
from pool.openai.chunks import ChatChunks, TextChunks
from pool.openai.completions import parse_completion
from pool.openai.objects import chat_completion, text_completion
from pool.openai.types import Choice, Head, Origin, Usage

Whole = Callable[[Head, Sequence[Choice], Usage, Origin], bytes]


def routes(desk: Desk) -> Blueprint:
    """The two routes. `stream`: the body is read by us, after the key was checked."""

    async def chat(request: Request) -> HTTPResponse | None:
        async with Entered(desk, request) as guest:
            return await serve(desk, request, CHAT, parse_chat(guest.body, seed=seed_of(request)), guest)

    async def completions(request: Request) -> HTTPResponse | None:
        async with Entered(desk, request) as guest:
            return await serve(desk, request, COMPLETIONS, parse_completion(guest.body, seed=seed_of(request)), guest)

    blueprint = Blueprint("answers")
    blueprint.add_route(chat, "/v1/chat/completions", methods=["POST"], stream=True)
    blueprint.add_route(completions, "/v1/completions", methods=["POST"], stream=True)
    return blueprint


def _dialect(name: str, chunks: type[ChatChunks] | type[TextChunks], whole: Whole) -> Dialect:
    def writer(answer: Answer, include_usage: bool) -> ChunkWriter:
        return ChunkWriter(chunks(answer.head, include_usage=include_usage), include_usage=include_usage)

    def told(answer: Answer, choices: Sequence[Choice], done: Done) -> bytes:
        return whole(answer.head, choices, done.usage, done.origin)

    return Dialect(name=name, writer=writer, whole=told)


CHAT = _dialect("chat", ChatChunks, chat_completion)
COMPLETIONS = _dialect("completions", TextChunks, text_completion)
