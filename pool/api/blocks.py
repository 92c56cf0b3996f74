"""Dialects that tell an answer block by block, texts and calls in their order, rather than in chunks of choices."""

from collections.abc import Callable
from typing import Protocol

from iamine.ids import ModelId
from pool.api.sse import moved_comment
from pool.dispatch.events import Accepted, AnswerEvent, Asks, ChoiceDelta, ChoiceEnded, Done, Moved, Reading, Thinking, Waiting
from pool.openai.types import Origin, ToolCall, Usage


class Blocks(Protocol):
    """The events of such a dialect, as bytes."""

    def opening(self, usage: Usage, /) -> bytes: ...
    def moved(self, model: ModelId) -> None: ...
    def text(self, delta: str) -> bytes: ...
    def call(self, call: ToolCall) -> bytes: ...
    def finish(self, reason: str, stop: str, usage: Usage, origin: Origin, /) -> bytes: ...
    def failure(self, error: Exception) -> bytes: ...


class BlockWriter:
    """An answer's events to bytes; `usage` tells the tokens known by now."""

    def __init__(self, blocks: Blocks, usage: Callable[[], Usage]) -> None:
        self._blocks = blocks
        self._usage = usage
        self._ended = ChoiceEnded(choice=0, finish_reason="stop")

    def opening(self, _choices: int) -> bytes:
        """What comes first; there is one choice."""
        return self._blocks.opening(self._usage())

    def write(self, event: AnswerEvent) -> bytes:
        """The bytes of the event; b"" for those that nobody is told of."""
        match event:
            case ChoiceDelta():
                return self._delta(event)
            case ChoiceEnded():
                self._ended = event
                return b""
            case Done():
                return self._blocks.finish(self._ended.finish_reason, self._ended.stop, event.usage, event.origin)
            case Moved():
                self._blocks.moved(event.model)
                return moved_comment(event)
            case Waiting() | Reading() | Accepted() | Thinking() | Asks():
                return b""

    def _delta(self, event: ChoiceDelta) -> bytes:
        if event.call is not None:
            return self._blocks.call(event.call)
        return self._blocks.text(event.content) if event.content else b""

    def failure(self, error: Exception) -> bytes:
        """An error after the stream was opened."""
        return self._blocks.failure(error)
