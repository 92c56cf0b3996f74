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

    async def __anext__(self) -> AnswerEvent:
        while not self._pending:
            if self._over:
                raise StopAsyncIteration
            if self._ended == len(self._choices):
                return await self._done()
            await self._advance()
        return self._pending.popleft()

    async def _advance(self) -> None:
        """Wait for one event of a choice."""
        number, item = await self._merged.next()
        if isinstance(item, Exception):
            self._close("failed")
            raise item
        if isinstance(item, Moved) and number == 0:
            self.head = self.head.but(model=item.model, fingerprint=item.fingerprint)
        self._ended += isinstance(item, ChoiceEnded)
        if item is not None and self._may_tell(item):
            self._pending.append(item)

    def _may_tell(self, event: AnswerEvent) -> bool:
        """Accepted is told once, when every choice has begun."""
        if not isinstance(event, Accepted):
            return True
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
        tallies, thoughts = [choice.tally for choice in self._choices], self._thoughts()
        read = tallies[:: self._samples] + thoughts
        thought_tokens = sum([tally.tokens for tally in thoughts])
        return Usage(
            prompt_tokens=sum([tally.prompt_tokens for tally in read]),
            cached_tokens=sum([tally.cached_tokens for tally in read]),
            completion_tokens=sum([tally.tokens for tally in tallies]) + thought_tokens,
            reasoning_tokens=sum([tally.reasoning_tokens for tally in tallies]) + thought_tokens,
        )

    def _thoughts(self) -> list[Tally]:
        return [thinking.tally for course in self._courses for thinking in course.thoughts]

    def _segments(self) -> tuple[Segment, ...]:
        """All choices' segments on one line, thoughts behind them: each goes on where the one before ended."""
        line: list[Segment] = []
        base = 0
        for tally in [*(choice.tally for choice in self._choices), *self._thoughts()]:
            line += (Segment(worker=s.worker, start=base + s.start, stop=base + s.stop) for s in tally.told())
            base += tally.tokens
        return tuple(line)

    def origin(self) -> Origin:
        """Where the answer came from, as known by now."""
        spans = (
            Span(worker=s.worker, start=s.start, stop=s.stop, choice=choice.index, model=self._foreign(choice, s))
            for choice in self._choices
            for s in choice.tally.told()
        )
        return Origin(
            job=self.job,
            model=self.head.model,
            spans=tuple(spans),
            chosen=self._courses[0].place.chosen,
            thoughts=tuple(thinking.told() for course in self._courses for thinking in course.thoughts),
        )

    def _foreign(self, choice: Choice, segment: Segment) -> str:
        """The segment's model where it is not the answer's own."""
        model = choice.tally.model_at(segment.start)
        return "" if model == self.head.model else model
