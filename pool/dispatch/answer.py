"""An answer being made: the courses of its choices, merged, as what the client is told."""

from collections import deque
from collections.abc import Sequence

from iamine.ids import JobId
from pool.dispatch.choice import Choice
from pool.dispatch.course import Course
from pool.dispatch.events import Accepted, AnswerEvent, ChoiceEnded, Done, Moved
from pool.dispatch.merged import Merged
from pool.dispatch.ports import Status
from pool.dispatch.record import Ending
from pool.dispatch.tally import Tally
from pool.openai.types import Head, Origin, Span, Usage
from pool.routing.types import Segment


class Answer:
    """Iterate it for AnswerEvents; close it whatever happens: that frees the slots at once and records the end."""

    def __init__(
        self,
        *,
        job: JobId,
        head: Head,
        courses: Sequence[Course],
        record: Ending,
        samples: int,
    ) -> None:
        self.job = job
        self.head = head
        self._courses = courses
        self._choices = [course.choice for course in courses]
        self._record = record
        self._samples = samples
        self._merged = Merged(courses)
        self._pending: deque[AnswerEvent] = deque()
        self._ended = 0
        self._accepted = False
        self._over = False
        self._usage: Usage | None = None  # once it is closed

    @property
    def choices(self) -> int:
        """How many choices it has."""
        return len(self._choices)

    def tokens(self, choice: int) -> int:
        """How many tokens the choice has by now."""
        return self._choices[choice].tally.tokens

    def __aiter__(self) -> "Answer":
        return self

    def at_hand(self) -> AnswerEvent | None:
        """The next event, if it is there already."""
        return self._pending.popleft() if self._pending else None

    async def __anext__(self) -> AnswerEvent:
        while not self._pending:
            if self._over:
                raise StopAsyncIteration
            if self._ended == len(self._choices):
                return await self._done()
            await self._advance()
        return self._pending.popleft()

    async def _advance(self) -> None:
        """Wait for the next events of a choice."""
        number, told = await self._merged.next()
        if isinstance(told, Exception):
            self._close("failed")
            raise told
        for event in told:
            if isinstance(event, Moved) and number == 0:
                self.head = self.head.but(model=event.model, fingerprint=event.fingerprint)
            elif isinstance(event, ChoiceEnded):
                self._ended += 1
            if not isinstance(event, Accepted) or self._is_accepted():
                self._pending.append(event)

    def _is_accepted(self) -> bool:
        """Accepted is told once, when every choice has begun."""
        first = not self._accepted and all(choice.begun for choice in self._choices)
        self._accepted = self._accepted or first
        return first

    async def _done(self) -> Done:
        """The end: recorded before the client is told."""
        self._over = True
        self._close("complete")
        await self._record.finished()
        return Done(usage=self.usage(), origin=self.origin())

    def close(self) -> None:
        """The client is gone or served: cancel what still runs. May be called again."""
        if self._usage is None:
            self._close("cut")

    def _close(self, status: Status) -> None:
        self._over = True
        self._pending.clear()
        for course in self._courses:
            course.cancel()
        self._merged.close()
        self._usage = usage = self._used()
        self._record.finish(
            status,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            segments=self._segments(),
        )

    def usage(self) -> Usage:
        """What was read and written by now. Prompts are counted once, however many samples were drawn from each.

        What a larger model read and wrote for the think tool counts too, and what it wrote is reasoning.
        """
        return self._used() if self._usage is None else self._usage

    def _used(self) -> Usage:
        prompt = cached = completion = reasoning = 0
        for number, choice in enumerate(self._choices):
            tally = choice.tally
            completion += tally.tokens
            reasoning += tally.reasoning_tokens
            if number % self._samples == 0:
                prompt += tally.prompt_tokens
                cached += tally.cached_tokens
        for tally in self._thoughts():
            completion += tally.tokens
            reasoning += tally.tokens
            prompt += tally.prompt_tokens
            cached += tally.cached_tokens
        return Usage(
            prompt_tokens=prompt, completion_tokens=completion, cached_tokens=cached, reasoning_tokens=reasoning
        )  # fmt: skip

    def _thoughts(self) -> list[Tally]:
        return [thinking.tally for course in self._courses for thinking in course.thoughts]

    def _segments(self) -> tuple[Segment, ...]:
        """All choices' segments on one line, thoughts behind them: each goes on where the one before ended."""
        line: list[Segment] = []
        base = 0
        for tally in [*[choice.tally for choice in self._choices], *self._thoughts()]:
            line += [Segment(worker=one.worker, start=base + one.start, stop=base + one.stop) for one in tally.told()]
            base += tally.tokens
        return tuple(line)

    def origin(self) -> Origin:
        """Where the answer came from, as known by now."""
        spans: list[Span] = []
        for choice in self._choices:
            for one in choice.tally.told():
                foreign = self._foreign(choice, one)
                spans.append(Span(worker=one.worker, start=one.start, stop=one.stop, choice=choice.index, model=foreign))
        return Origin(
            job=self.job,
            model=self.head.model,
            spans=tuple(spans),
            chosen=self._courses[0].place.chosen,
            thoughts=tuple([thinking.told() for course in self._courses for thinking in course.thoughts]),
        )

    def _foreign(self, choice: Choice, segment: Segment) -> str:
        """The segment's model where it is not the answer's own."""
        model = choice.tally.model_at(segment.start)
        return "" if model == self.head.model else model
