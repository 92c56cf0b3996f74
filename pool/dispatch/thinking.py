"""A question that a small model puts to a larger one in the middle of its answer: a job of its own, and what came of it."""

import asyncio
from collections.abc import Collection
from contextlib import suppress

import msgspec

from iamine.ids import JobId
from iamine.wire.messages import ChatWork, Sampling
from pool.dispatch.choice import Choice
from pool.dispatch.events import ChoiceDelta, ChoiceEnded
from pool.dispatch.ports import Hub, JobStream
from pool.dispatch.tally import Tally
from pool.errors import PoolError
from pool.openai.types import ChatRequest, Chosen, Thought
from pool.routing.features import BYTES_PER_TOKEN
from pool.routing.types import JobOrder, ModelCard
from pool.toolcalls import think_tool
from pool.toolcalls.formats import Formats


class Thinking:
    """One such job, the answer's `number`th. Its tally is right at any moment; `text` is empty until a whole answer came."""

    def __init__(self, card: ModelCard, order: JobOrder, hub: Hub, number: int) -> None:
        self.number = number
        self._choice = Choice(
            index=0,
            job=order.job,
            tools=None,
            formats=Formats(tool=card.tool_format, reasoning=card.reasoning_format),
            logprobs=False,
        )
        self._card = card
        self._stream: JobStream = hub.submit(order)
        self.text = ""

    @property
    def tally(self) -> Tally:
        """Its tokens."""
        return self._choice.tally

    def told(self) -> Thought:
        """What the client may know of it."""
        segments = self.tally.told()
        return Thought(
            model=self._card.model,
            worker=segments[-1].worker if segments else None,
            tokens=self.tally.tokens,
            answered=self.text != "",
        )

    async def run(self, timeout_s: float) -> str:
        """The answer; "" when none came in time, or the job failed."""
        with suppress(PoolError, asyncio.TimeoutError):
            async with asyncio.timeout(timeout_s):
                self.text = await self._read()
        self.cancel()
        return self.text

    async def _read(self) -> str:
        content = ""
        async for event in self._stream:
            told = self._choice.on(event)
            content += "".join(one.content for one in told if isinstance(one, ChoiceDelta))
            if any(isinstance(one, ChoiceEnded) for one in told):
                return content.strip()
        return ""

    def cancel(self) -> None:
        """Free the slot. May be called again."""
        self._stream.cancel()


def question_order(question: str, card: ModelCard, *, job: JobId, like: JobOrder, most: int, deadline_s: float) -> JobOrder:
    """The job of the question, for at most `most` tokens; drawn as the answer itself is."""
    messages = msgspec.json.encode([{"role": "user", "content": question}])
    drawn = like.sampling
    return JobOrder(
        job=job,
        account=like.account,
        model=card.model,
        work=ChatWork(messages=msgspec.Raw(messages)),
        sampling=Sampling(temperature=drawn.temperature, top_p=drawn.top_p, seed=drawn.seed, max_tokens=most),
        wall_time_s=like.wall_time_s,
        deadline_s=deadline_s,
        estimated_prompt_tokens=len(messages) // BYTES_PER_TOKEN,
    )


def may_think(request: ChatRequest, card: ModelCard, chosen: Chosen, tiers: Collection[str]) -> bool:
    """Whether the think tool is offered, if anybody lives to answer it.

    Not where the client itself says what the answer must be: no tool, this tool, this format, up to this text.
    """
    sampling = request.sampling
    free = request.think and not request.must_call and sampling.grammar is None and not sampling.stop
    named = any(tool.name == think_tool.NAME for tool in request.tools)
    return free and not named and chosen.tier in tiers and bool(Formats(tool=card.tool_format).known.tool)
