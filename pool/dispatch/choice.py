"""One choice of an answer: job events in, client events out. It holds no I/O."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from iamine.ids import JobId, WorkerId
from iamine.wire.messages import MARK, TokenLogprob
from pool.dispatch.events import Accepted, AnswerEvent, ChoiceDelta, ChoiceEnded, FinishReason, Reading, Waiting
from pool.openai.types import ToolCall
from pool.routing.types import Begun, Delta, Ended, JobEvent, Prefilled, Queued, Segment, Vectors
from pool.toolcalls.formats import Formats, only_call, reader
from pool.toolcalls.types import NO_TOOLS, Calls, Part, Reasoning, Tools

PLAIN = Formats()


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolUse:
    """How calls are read out of the text: which are accepted, whether more than one may or exactly one must be made."""

    tools: Tools
    parallel: bool
    must: bool = False


@dataclass(slots=True)
class Tally:
    """What is known of a choice's tokens, whether or not it comes to an end."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    tokens: int = 0
    reasoning_tokens: int = 0
    segments: list[Segment] = field(default_factory=list)

    def on_worker(self, worker: WorkerId) -> None:
        """Tokens from here on are this worker's."""
        self.segments.append(Segment(worker=worker, start=self.tokens, stop=self.tokens))

    def on_tokens(self, count: int) -> None:
        """The answer has `count` tokens."""
        if self.segments:
            last = self.segments[-1]
            self.segments[-1] = Segment(worker=last.worker, start=last.start, stop=count)
        self.tokens = count

    def told(self) -> tuple[Segment, ...]:
        """The segments that have tokens."""
        return tuple(segment for segment in self.segments if segment.stop > segment.start)


class Aligned:
    """Log probabilities that wait for their text: a token is shown once the text reaches into its bytes."""

    def __init__(self) -> None:
        self._waiting: deque[TokenLogprob] = deque()
        self._begin = self._shown = 0

    def add(self, text: str, logprobs: Sequence[TokenLogprob]) -> tuple[TokenLogprob, ...]:
        """Those shown now, after more text and tokens came in."""
        self._waiting.extend(logprobs)
        self._shown += len(text.replace(MARK, "").encode())  # no token's own bytes
        ready: list[TokenLogprob] = []
        while self._waiting and self._begin < self._shown:
            self._begin += len(self._waiting[0].bytes)
            ready.append(self._waiting.popleft())
        return tuple(ready)

    def split(self, text: str, logprobs: Sequence[TokenLogprob]) -> Iterator[tuple[str, tuple[TokenLogprob, ...]]]:
        """The text in pieces that end where tokens end, each with those shown by it."""
        ready = list(self.add("", logprobs))
        start = 0
        for end, char in enumerate(text, 1):
            ready += self.add(char, ())
            if self._shown >= self._begin:
                yield text[start:end], tuple(ready)
                start, ready = end, []
        if ready or start < len(text):
            yield text[start:], tuple(ready)

    def rest(self) -> tuple[TokenLogprob, ...]:
        """Those whose text never showed: half a character at the end of a cut answer."""
        ready = tuple(self._waiting)
        self._waiting.clear()
        return ready


class Choice:
    """The state of choice `index`; `echo` is told before its own text.

    Log probabilities are told of content and of calls; those of reasoning and its marks are left out, as OpenAI does:
    `logprobs.content` is about the content. A token that holds the end of the one and the start of the other is told.
    """

    def __init__(
        self,
        *,
        index: int,
        job: JobId,
        tools: ToolUse | None,
        formats: Formats = PLAIN,
        logprobs: bool,
        echo: str = "",
    ) -> None:
        self.index = index
        self.tally = Tally()
        self.begun = False
        self.ended = False
        self._tools = tools
        self._formats = formats
        self._calls = Calls(job, NO_TOOLS if tools is None else tools.tools)
        self._reader = reader(formats, self._calls, tools=tools is not None, opened=False)
        self._aligned = Aligned() if logprobs else None
        self._logprobs: tuple[TokenLogprob, ...] = ()
        self._echo = echo
        self._call_text = ""

    def on(self, event: JobEvent) -> list[AnswerEvent]:
        """What the client is told because of this event."""
        match event:
            case Queued():
                return [Waiting(position=event.position, estimate_s=event.estimate_s)]
            case Prefilled():
                return [Reading(done_tokens=event.done_tokens, total_tokens=event.total_tokens)]
            case Begun():
                return self._on_begun(event)
            case Delta():
                return self._on_delta(event)
            case Ended():
                return self._on_ended(event)
            case Vectors():
                return []

    def _on_begun(self, event: Begun) -> list[AnswerEvent]:
        first, self.begun = not self.begun, True
        self.tally.prompt_tokens = event.prompt_tokens
        self.tally.on_worker(event.worker)
        if not first:
            return []
        self.tally.cached_tokens = event.cached_tokens
        if event.reasoning or event.marks:
            self._reader = reader(
                self._formats, self._calls, tools=self._tools is not None, opened=event.reasoning, marks=event.marks
            )
        echo: list[AnswerEvent] = [ChoiceDelta(choice=self.index, content=self._echo)] if self._echo else []
        return [Accepted(), *echo]

    def _on_delta(self, event: Delta) -> list[AnswerEvent]:
        self.tally.on_tokens(event.index + len(event.ids))
        inside = self._reader.reasoning
        told = self._on_text(event.text, event.logprobs)
        if inside or self._reader.reasoning:
            self.tally.reasoning_tokens += len(event.ids)
        return told

    def _on_text(self, text: str, logprobs: Sequence[TokenLogprob]) -> list[AnswerEvent]:
        if self._tools is not None and self._tools.must:
            self._call_text += text
            self._logprobs += () if self._aligned is None else self._aligned.add(text, logprobs)
            return []
        told: list[AnswerEvent] = []
        for piece, shown in self._pieces(text, logprobs):
            told += self._on_piece(piece, shown)
            if _over(told):
                break
        return told

    def _pieces(self, text: str, logprobs: Sequence[TokenLogprob]) -> Iterator[tuple[str, tuple[TokenLogprob, ...]]]:
        """The text with the log probabilities of its tokens, token by token where some of them are not to be told."""
        if self._aligned is None:
            yield text, ()
        elif self._formats.reasoning or self._formats.tool == "harmony":
            yield from self._aligned.split(text, logprobs)
        else:
            yield text, self._aligned.add(text, logprobs)

    def _on_piece(self, text: str, logprobs: tuple[TokenLogprob, ...]) -> list[AnswerEvent]:
        before = self._reader.asides
        parts = self._reader.feed(text)
        if self._reader.asides == before:
            self._logprobs += logprobs
        else:
            self._logprobs = () if all(isinstance(part, Reasoning) for part in parts) else logprobs
        return self._told(parts)

    def _told(self, parts: Sequence[Part]) -> list[AnswerEvent]:
        """The deltas; without parallel calls the choice ends with its first."""
        first = next((i for i, part in enumerate(parts) if isinstance(part, ToolCall)), None)
        if self._tools is None or self._tools.parallel or first is None:
            return self._deltas(parts)
        return [*self._deltas(parts[: first + 1]), self._end("tool_calls")]

    def _deltas(self, parts: Sequence[Part]) -> list[AnswerEvent]:
        deltas: list[AnswerEvent] = []
        for part in parts:
            if isinstance(part, Reasoning):
                deltas.append(ChoiceDelta(choice=self.index, reasoning=part.text))
                continue
            call = part if isinstance(part, ToolCall) else None
            content = part if isinstance(part, str) else ""
            deltas.append(ChoiceDelta(choice=self.index, content=content, call=call, logprobs=self._logprobs))
            self._logprobs = ()
        return deltas

    def _on_ended(self, event: Ended) -> list[AnswerEvent]:
        self.tally.prompt_tokens, self.tally.cached_tokens = event.prompt_tokens, event.cached_tokens
        self.tally.on_tokens(event.tokens)
        self.tally.segments = list(event.segments)
        told = self._on_text(event.text, ())
        if not _over(told):
            told += self._on_text_over(event.reason)
        if _over(told):
            return told
        if self._logprobs:
            told += self._deltas(("",))
        return [*told, self._end("tool_calls") if self._calls.count else self._end(event.reason, event.stop)]

    def _on_text_over(self, reason: str) -> list[AnswerEvent]:
        """What the end of the text makes certain."""
        if self._tools is not None and self._tools.must:
            told = self._told(only_call(self._calls, self._call_text))
        else:
            if self._reader.reasoning:
                self._logprobs = ()
            told = self._told(self._reader.finish())
        if self._aligned is not None and reason == "length" and not self._reader.reasoning:
            self._logprobs += self._aligned.rest()
        return told

    def _end(self, reason: FinishReason, stop: str = "") -> ChoiceEnded:
        self.ended = True
        return ChoiceEnded(choice=self.index, finish_reason=reason, stop=stop)


def _over(told: Sequence[AnswerEvent]) -> bool:
    """Whether the choice's end is among what is told."""
    return any(isinstance(event, ChoiceEnded) for event in told)
