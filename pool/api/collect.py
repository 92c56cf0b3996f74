"""A plain answer: its events gathered into whole choices."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby

from iamine.wire.messages import TokenLogprob
from pool.dispatch.answer import Answer
from pool.dispatch.events import ChoiceDelta, ChoiceEnded, Done
from pool.errors import AnswerLost
from pool.openai.types import Choice, ToolCall


@dataclass(slots=True)
class _Gathered:
    texts: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    parts: list[str | ToolCall] = field(default_factory=list)
    finish_reason: str = ""
    stop: str = ""

    def add(self, delta: ChoiceDelta) -> None:
        self.texts.append(delta.content)
        self.reasoning.append(delta.reasoning)
        self.logprobs += delta.logprobs
        if delta.call is not None:
            self.calls.append(delta.call)
        self.parts.append(delta.call or delta.content)


async def collect(answer: Answer, on_first: Callable[[], None], *, logprobs: bool) -> tuple[list[Choice], Done]:
    """The whole choices and the end; `on_first` is called at the first token. Raises PoolError."""
    gathered = [_Gathered() for _ in range(answer.choices)]
    first = True
    async for event in answer:
        match event:
            case ChoiceDelta():
                gathered[event.choice].add(event)
            case ChoiceEnded():
                gathered[event.choice].finish_reason = event.finish_reason
                gathered[event.choice].stop = event.stop
            case Done():
                return [_choice(i, one, logprobs) for i, one in enumerate(gathered)], event
            case _:
                continue
        if first:
            on_first()
            first = False
    raise AnswerLost("The answer broke off; asking again is safe.")


def _choice(index: int, gathered: _Gathered, logprobs: bool) -> Choice:
    return Choice(
        index=index,
        content="".join(gathered.texts),
        reasoning="".join(gathered.reasoning),
        calls=tuple(gathered.calls),
        logprobs=tuple(gathered.logprobs) if logprobs else None,
        finish_reason=gathered.finish_reason,
        parts=tuple(_joined(gathered.parts)),
        stop=gathered.stop,
    )


def _joined(parts: Iterable[str | ToolCall]) -> Iterator[str | ToolCall]:
    """Neighbouring texts as one; empty ones are left out."""
    for is_text, group in groupby(parts, lambda part: isinstance(part, str)):
        if not is_text:
            yield from group
        elif text := "".join(str(part) for part in group):
            yield text
