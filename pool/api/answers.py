"""POST /v1/chat/completions and /v1/completions, streamed and plain."""

from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from os import urandom
from typing import Any

from sanic import Blueprint, HTTPResponse, Request
from sanic.response import raw

from iamine.ids import AccountId
from pool.api.collect import collect
from pool.api.desk import Desk
from pool.api.entry import Entered, entered
from pool.api.measured import measured
from pool.api.sse import Writer
from pool.api.stream import Streamed
from pool.dispatch.answer import Answer
from pool.openai.chat import parse_chat
from pool.openai.chunks import ChatChunks, TextChunks
from pool.openai.completions import parse_completion
from pool.openai.objects import chat_completion, text_completion
from pool.openai.types import ChatRequest, Choice, CompletionRequest, Head, Origin, Usage

JSON = "application/json"
Begin = Coroutine[Any, Any, Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How an endpoint's answers are written."""

    name: str
    chunks: type[ChatChunks] | type[TextChunks]
    whole: Callable[[Head, Sequence[Choice], Usage, Origin], bytes]


CHAT = Dialect(name="chat", chunks=ChatChunks, whole=chat_completion)
TEXT = Dialect(name="completions", chunks=TextChunks, whole=text_completion)


def routes(desk: Desk) -> Blueprint:
    """The two routes. `stream`: the body is read by us, after the key was checked."""

    async def chat(request: Request) -> HTTPResponse | None:
        async with entered(desk, request) as guest:
            return await _answer(desk, request, CHAT, parse_chat(guest.body, seed=random_seed()), guest)

    async def completions(request: Request) -> HTTPResponse | None:
        async with entered(desk, request) as guest:
            return await _answer(desk, request, TEXT, parse_completion(guest.body, seed=random_seed()), guest)

    blueprint = Blueprint("answers")
    blueprint.add_route(chat, "/v1/chat/completions", methods=["POST"], stream=True)
    blueprint.add_route(completions, "/v1/completions", methods=["POST"], stream=True)
    return blueprint


async def _answer(
    desk: Desk, request: Request, dialect: Dialect, asked: ChatRequest | CompletionRequest, guest: Entered
) -> HTTPResponse | None:
    """Begin, tell, and close: closing frees the slots whatever happened."""
    with measured(desk, request, dialect.name) as measure, counted(await _begin(desk, asked, guest.account), guest) as answer:
        request.ctx.request_id = answer.job
        if asked.stream:
            writer = Writer(dialect.chunks(answer.head, include_usage=asked.include_usage), include_usage=asked.include_usage)
            constrained = asked.sampling.grammar is not None
            done = await Streamed(answer, writer, desk.settings, measure.first, constrained=constrained).run(request)
            measure.usage = None if done is None else done.usage
            return None
        choices, done = await collect(answer, measure.first, logprobs=asked.sampling.logprobs is not None)
        measure.usage = done.usage
        return raw(dialect.whole(answer.head, choices, done.usage, done.origin), content_type=JSON)


@contextmanager
def counted(answer: Answer, guest: Entered) -> Iterator[Answer]:
    """The answer, closed in the end; what it took by then counts, whether it was whole or cut."""
    try:
        with closing(answer):
            yield answer
    finally:
        usage = answer.usage()
        guest.used_tokens = usage.prompt_tokens + usage.completion_tokens


def _begin(desk: Desk, asked: ChatRequest | CompletionRequest, account: AccountId) -> Begin:
    if isinstance(asked, ChatRequest):
        return desk.dispatch.chat(asked, account)
    return desk.dispatch.completion(asked, account)


def random_seed() -> int:
    """For requests that name none."""
    return int.from_bytes(urandom(7), "big")
