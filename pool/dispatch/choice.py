"""One choice of an answer: job events in, client events out. It holds no I/O."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from iamine.ids import JobId
from iamine.wire.messages import MARK, TokenLogprob
from pool.dispatch.events import (
    Accepted,
    AnswerEvent,
    Asks,
    ChoiceDelta,
    ChoiceEnded,
    FinishReason,
    Reading,
    Spoken,
    StreamEvent,
    Waiting,
)
from pool.dispatch.tally import Tally
from pool.openai.types import ToolCall
from pool.routing.types import Begun, Delta, Ended, Prefilled, Queued, Vectors
from pool.toolcalls.formats import Formats, Plain, only_call, reader
from pool.toolcalls.think_tool import question_of
from pool.toolcalls.types import HIDDEN, NO_TOOLS, Calls, Part, Reasoning, Tools

PLAIN = Formats()
TURN = "\n\n"  # between what a model said before it called the think tool and what it said afterwards


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolUse:
    """How calls are read out of the text: which are accepted, whether more than one may or exactly one must be made."""

    tools: Tools
    parallel: bool
    must: bool = False


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
        self._said: list[str] = []
        self._tools = tools
        self._formats = formats
        self._calls = Calls(job, NO_TOOLS if tools is None else tools.tools)
        self._reader = reader(formats, self._calls, tools=tools is not None, opened=False)
        self._aligned = Aligned() if logprobs else None
        self._logprobs: tuple[TokenLogprob, ...] = ()
        self._echo = echo
        self._call_text = ""
        self._read = self._told_characters = 0
        self._called = 0
        self._turned = False
        self._part_begun = False
        self._accounted = 0

    def on(self, event: StreamEvent) -> list[AnswerEvent]:
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
            case Spoken():
                return self._on_spoken(event)
            case Vectors():
                return []

    def next_part(self, formats: Formats, *, turn: bool = False) -> None:
        """Another job goes on with this choice, its text to be read by `formats`; `turn`: it begins a turn of its own."""
        self.tally.next_part()
        self._formats = formats
        self._part_begun = False
        self._calls.count = self._called
        self._reader = reader(formats, self._calls, tools=self._tools is not None, opened=False)
        self._aligned = None if self._aligned is None else Aligned()
        self._logprobs = ()
        self._accounted = self.tally.tokens
        if turn:
            self._turned = self._turned or self.content[-1:].strip() != ""
            self._said, self._read, self._told_characters = [], 0, 0

    @property
    def content(self) -> str:
        """What was said in this turn."""
        return "".join(self._said)

    @property
    def plain_text(self) -> str | None:
        """The content of this turn, where any model could go on from it: not inside reasoning or a call, nothing called yet."""
        if self._called or self._reader.reasoning or "harmony" in (self._formats.tool, self._formats.reasoning):
            return None
        if self._reader.asides and not self._said:
            return None
        if self._tools is not None and (self._tools.must or self._read != self._told_characters):
            return None
        return self.content

    def _on_begun(self, event: Begun) -> list[AnswerEvent]:
        first, self.begun = not self.begun, True
        part_first, self._part_begun = not self._part_begun, True
        self.tally.on_worker(event.worker)
        if not part_first:
            return []
        self.tally.on_prompt(event.prompt_tokens, event.cached_tokens)
        if event.reasoning or event.marks:
            self._reader = reader(
                self._formats, self._calls, tools=self._tools is not None, opened=event.reasoning, marks=event.marks
            )
        if not first:
            return []
        echo: list[AnswerEvent] = [ChoiceDelta(choice=self.index, content=self._echo)] if self._echo else []
        return [Accepted(), *echo]

    def _on_delta(self, event: Delta) -> list[AnswerEvent]:
        self.tally.on_tokens(event.index + len(event.ids))
        if self._aligned is None and self._tools is None and isinstance(self._reader, Plain):
            return self._through(event.text)
        inside = self._reader.reasoning
        told = self._on_text(event.text, event.logprobs)
        if inside or self._reader.reasoning:
            self.tally.reasoning_tokens += len(event.ids)
        if told or inside:
            self._account(told)
        return told

    def _through(self, text: str) -> list[AnswerEvent]:
        """Nothing can be in the text but content: it is not looked into."""
        if not text:
            return []
        self._said.append(text)
        self._read += len(text)
        self._told_characters += len(text)
        return [ChoiceDelta(choice=self.index, content=text)]

    def _on_spoken(self, event: Spoken) -> list[AnswerEvent]:
        self.tally.on_tokens(event.tokens)
        parts: list[Part] = [Reasoning(text=event.reasoning)] if event.reasoning else []
        parts += [event.content] if event.content else []
        for call in event.calls:
            parts += self._calls.made([call]) or []
        self._read += len(event.content)
        return self._told(parts)

    def _account(self, told: Sequence[AnswerEvent]) -> None:
        """The tokens of a hidden call are reasoning: the client sees nothing of them."""
        if _asks(told):
            self.tally.reasoning_tokens += self.tally.tokens - self._accounted
        self._accounted = self.tally.tokens

    def _on_text(self, text: str, logprobs: Sequence[TokenLogprob]) -> list[AnswerEvent]:
        if self._tools is not None and self._tools.must:
            self._call_text += text
            self._logprobs += () if self._aligned is None else self._aligned.add(text, logprobs)
            return []
        self._read += len(text)
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
        """The deltas; without parallel calls the choice ends with its first.

        A call of the think tool ends the part, and what follows it is left to the turn after. Behind a call that the client
        was told of it comes too late: the client's answer is waited for anyway.
        """
        asked = next((part for part in parts if isinstance(part, ToolCall) and part.index == HIDDEN), None)
        if asked is not None:
            at = parts.index(asked)
            told = self._told(parts[:at])
            if _over(told):
                return told
            if self._called:
                return [*told, *self._told(parts[at + 1 :])]
            self._logprobs = ()
            return [*told, Asks(question=question_of(asked.arguments), arguments=asked.arguments)]
        first = next((i for i, part in enumerate(parts) if isinstance(part, ToolCall)), None)
        if self._tools is None or self._tools.parallel or first is None:
            return self._deltas(parts)
        return [*self._deltas(parts[: first + 1]), self.end("tool_calls")]

    def _deltas(self, parts: Sequence[Part]) -> list[AnswerEvent]:
        deltas: list[AnswerEvent] = []
        for part in parts:
            if isinstance(part, Reasoning):
                deltas.append(ChoiceDelta(choice=self.index, reasoning=part.text))
                continue
            call = part if isinstance(part, ToolCall) else None
            content = part if isinstance(part, str) else ""
            self._called += call is not None
            if content:
                self._said.append(content)
                self._told_characters += len(content)
                content, self._turned = (TURN if self._turned else "") + content, False
            deltas.append(ChoiceDelta(choice=self.index, content=content, call=call, logprobs=self._logprobs))
            self._logprobs = ()
        return deltas

    def _on_ended(self, event: Ended) -> list[AnswerEvent]:
        self.tally.on_prompt(event.prompt_tokens, event.cached_tokens)
        self.tally.on_tokens(event.tokens)
        self.tally.on_segments(event.segments)
        told = self._on_text(event.text, ())
        if not _over(told):
            told += self._on_text_over(event.reason)
        self._account(told)
        if _over(told):
            return told
        if self._logprobs:
            told += self._deltas(("",))
        return [*told, self.end("tool_calls") if self._called else self.end(event.reason, event.stop)]

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

    def end(self, reason: FinishReason, stop: str = "") -> ChoiceEnded:
        """The choice is over."""
        self.ended = True
        return ChoiceEnded(choice=self.index, finish_reason=reason, stop=stop)


def _over(told: Sequence[AnswerEvent]) -> bool:
    """Whether the end of the choice, or of its part, is among what is told."""
    return any(isinstance(event, ChoiceEnded | Asks) for event in told)


def _asks(told: Sequence[AnswerEvent]) -> bool:
    return any(isinstance(event, Asks) for event in told)
