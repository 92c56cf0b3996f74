"""An answer being made: the jobs' events, merged, as what the client is told."""

import asyncio
from collections import deque
from collections.abc import Sequence

from iamine.ids import JobId
from pool.dispatch.choice import Choice
from pool.dispatch.events import Accepted, AnswerEvent, ChoiceEnded, Done
from pool.dispatch.merged import Merged
from pool.dispatch.orders import name_param
from pool.dispatch.ports import JobStream, Status
from pool.dispatch.record import Ending
from pool.errors import AnswerLost
from pool.openai.types import Chosen, Head, Origin, Span, Usage
from pool.routing.types import JobOrder, Segment

RECORD_WAIT_S = 2.0  # how long a whole answer waits for its record; the record goes on without it after that


class Answer:
    """Iterate it for AnswerEvents; close it whatever happens: that frees the slots at once and records the end."""

    def __init__(
        self,
        *,
        job: JobId,
        head: Head,
        orders: Sequence[JobOrder],
        choices: Sequence[Choice],
        streams: Sequence[JobStream],
        record: Ending,
        samples: int,
        chosen: Chosen | None = None,
    ) -> None:
        self.job = job
        self.head = head
        self._orders = orders
        self._choices = choices
        self._streams = streams
        self._record = record
        self._samples = samples
        self._chosen = chosen
        self._merged = Merged(streams)
        self._pending: deque[AnswerEvent] = deque()
        self._accepted = False
        self._over = False
        self._closed = False

    @property
    def choices(self) -> int:
        """How many choices it has."""
        return len(self._choices)

    def tokens(self, choice: int) -> int:
        """How many tokens the choice has by now."""
        return self._choices[choice].tally.tokens

    def __aiter__(self) -> "Answer":
        return self

    async def __anext__(self) -> AnswerEvent:
        while not self._pending:
            if self._over:
                raise StopAsyncIteration
            if self._choices[-1].ended and all(choice.ended for choice in self._choices):
                return await self._done()
            await self._advance()
        return self._pending.popleft()

    async def _advance(self) -> None:
        """Wait for one event of the hub."""
        number, item = await self._merged.next()
        choice = self._choices[number]
        if choice.ended:
            return  # what a stream says after its choice was ended by us
        if item is None or isinstance(item, Exception):
            self._close("failed")
            if item is not None:
                name_param(item, self._orders[number])
            raise item or AnswerLost("The answer broke off; asking again is safe.")
        told = choice.on(item)
        self._pending.extend([event for event in told if not isinstance(event, Accepted) or self._may_tell()])
        if told and isinstance(told[-1], ChoiceEnded):
            self._streams[number].cancel()

    def _may_tell(self) -> bool:
        """Accepted is told once, when every choice has begun."""
        first = not self._accepted and all(choice.begun for choice in self._choices)
        self._accepted = self._accepted or first
        return first

    async def _done(self) -> Done:
        """The end: recorded, with a bounded wait, before the client is told."""
        self._over = True
        recorded = self._close("complete")
        await asyncio.wait({recorded}, timeout=RECORD_WAIT_S)
        return Done(usage=self.usage(), origin=self.origin())

    def close(self) -> None:
        """The client is gone or served: cancel what still runs. May be called again."""
        if not self._closed:
            self._close("cut")

    def _close(self, status: Status) -> "asyncio.Task[None]":
        self._closed = self._over = True
        self._pending.clear()
        for stream in self._streams:
            stream.cancel()
        self._merged.close()
        usage = self.usage()
        return self._record.finish(
            status,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            segments=self._segments(),
        )

    def usage(self) -> Usage:
        """What was read and written by now. Prompts are counted once, however many samples were drawn from each."""
        if len(self._choices) == 1:
            only = self._choices[0].tally
            return Usage(
                prompt_tokens=only.prompt_tokens,
                cached_tokens=only.cached_tokens,
                completion_tokens=only.tokens,
                reasoning_tokens=only.reasoning_tokens,
            )
        firsts = [choice.tally for choice in self._choices[:: self._samples]]
        return Usage(
            prompt_tokens=sum(tally.prompt_tokens for tally in firsts),
            cached_tokens=sum(tally.cached_tokens for tally in firsts),
            completion_tokens=sum(choice.tally.tokens for choice in self._choices),
            reasoning_tokens=sum(choice.tally.reasoning_tokens for choice in self._choices),
        )

    def _segments(self) -> tuple[Segment, ...]:
        """All choices' segments on one line: choice i+1 goes on where choice i ended, so none overlap."""
        line: list[Segment] = []
        base = 0
        for choice in self._choices:
            told = choice.tally.told()
            line += (Segment(worker=s.worker, start=base + s.start, stop=base + s.stop) for s in told)
            base += choice.tally.tokens
        return tuple(line)

    def origin(self) -> Origin:
        """Where the answer came from, as known by now."""
        spans = (
            Span(worker=segment.worker, start=segment.start, stop=segment.stop, choice=choice.index)
            for choice in self._choices
            for segment in choice.tally.told()
        )
        return Origin(job=self.job, model=self.head.model, spans=tuple(spans), chosen=self._chosen)
