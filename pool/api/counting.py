"""How many tokens a prompt is: asked of a worker, by a chat that ends before its first token."""

from contextlib import closing

from sanic import Request

from iamine.ids import AccountId
from pool.api.collect import collect
from pool.api.desk import Desk
from pool.api.measured import Measured
from pool.openai.types import ChatRequest, Usage


async def prompt_tokens(desk: Desk, request: Request, route: str, asked: ChatRequest, account: AccountId) -> int:
    """The prompt's tokens by the template and the vocabulary of the model that would answer; nothing of it is computed.

    `asked.max_tokens` is 0. Raises PoolError, as the chat itself would: a prompt that is too long is refused.
    """
    with Measured(desk, request, route) as measure, closing(await desk.dispatch.chat(asked, account)) as answer:
        request.ctx.request_id = answer.job
        _, done = await collect(answer, lambda: None, logprobs=False)
        measure.usage = Usage(prompt_tokens=0, completion_tokens=0)  # no token was read or written
        return done.usage.prompt_tokens
