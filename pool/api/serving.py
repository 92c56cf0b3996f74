"""One answer in whatever dialect: begun, told, and closed."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from sanic import HTTPResponse, Request
from sanic.response import raw

from iamine.ids import AccountId
from pool.api.collect import collect
from pool.api.desk import Desk
from pool.api.entry import Entered
from pool.api.marked import Marked
from pool.api.measured import Measured
from pool.api.named import claim_of, position_of
from pool.api.stream import Streamed, Writer
from pool.dispatch.answer import Answer
from pool.dispatch.events import Done
from pool.dispatch.kept import Claim, Kept
from pool.dispatch.position import Position
from pool.errors import InvalidRequest
from pool.openai.types import ChatRequest, Choice, CompletionRequest, Origin

JSON = "application/json"
Begin = Coroutine[Any, Any, Answer]
Asked = ChatRequest | CompletionRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How an endpoint's answers are written: as a stream (with or without the usage in it), or whole."""

    name: str
    writer: Callable[[Answer, bool], Writer]
    whole: Callable[[Answer, Sequence[Choice], Done], bytes]


async def serve(desk: Desk, request: Request, dialect: Dialect, asked: Asked, guest: Entered) -> HTTPResponse | None:
    """Begin, tell, and close: closing frees the slots whatever happened. Raises PoolError before the first byte."""
    asked = _without_thinking(asked, request.headers.get("x-iamine-think"))
    claim = None if desk.dispatch.keeper is None else claim_of(request, guest.account, guest.body)
    position = position_of(request) if claim is not None and asked.stream else None
    answer = await _begin(desk, asked, guest.account, claim, position)
    try:
        request.ctx.request_id = answer.job
        with Measured(desk, request, dialect.name) as measure:
            if not asked.stream:
                return await _whole(answer, dialect, asked, measure)
            writer = dialect.writer(answer, asked.include_usage)
            writer = writer if claim is None else Marked(writer, answer, position)
            constrained = asked.sampling.grammar is not None
            done = await Streamed(answer, writer, desk.settings, measure.first, constrained=constrained).run(request)
            measure.usage = None if done is None else done.usage
            return None
    finally:
        answer.close()
        usage = answer.usage()  # what it took by now counts, whether it was whole or cut
        guest.used_tokens = usage.prompt_tokens + usage.completion_tokens


async def _whole(answer: Answer, dialect: Dialect, asked: Asked, measure: Measured) -> HTTPResponse:
    choices, done = await collect(answer, measure.first, logprobs=asked.sampling.logprobs is not None)
    measure.usage = done.usage
    return raw(dialect.whole(answer, choices, done), content_type=JSON, headers=origin_headers(done.origin))


def origin_headers(origin: Origin) -> dict[str, str]:
    """Where a plain answer came from, for who does not read its body; a stream tells it in its last chunk only."""
    workers = [span.worker for span in origin.spans]
    told = {"x-iamine-job": origin.job, "x-iamine-workers": ", ".join(dict.fromkeys(workers))}
    told["x-iamine-takeovers"] = str(max(0, len(workers) - len({span.choice for span in origin.spans})))
    if origin.chosen is not None:
        told |= {"x-iamine-tier": origin.chosen.tier, "x-iamine-degraded": str(origin.chosen.degraded).lower()}
    return told


def _without_thinking(asked: Asked, header: str | None) -> Asked:
    """`x-iamine-think: off` keeps the pool's own tool away. Raises InvalidRequest for any value but on and off."""
    if header is None or header.strip().lower() == "on":
        return asked
    if header.strip().lower() != "off":
        raise InvalidRequest("The header x-iamine-think must be on or off.", param="x-iamine-think")
    return asked.but(think=False) if isinstance(asked, ChatRequest) else asked


async def _begin(desk: Desk, asked: Asked, account: AccountId, claim: Claim | None, position: Position | None) -> Answer:
    def begin(kept: Kept | None = None) -> Begin:
        if isinstance(asked, ChatRequest):
            return desk.dispatch.chat(asked, account, kept)
        return desk.dispatch.completion(asked, account, kept)

    if claim is None or desk.dispatch.keeper is None:
        return await begin()
    return await desk.dispatch.keeper.answer(claim, begin, resumes=None if position is None else position.job)
