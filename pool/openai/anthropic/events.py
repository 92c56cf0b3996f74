"""The events of a streamed message as bytes, in Anthropic's order."""

from typing import Literal

from iamine.ids import JobId, ModelId
from pool.openai.anthropic.objects import anthropic_error, message_json, stopped, usage_json
from pool.openai.chunks import ENCODE
from pool.openai.objects import Json, origin_json
from pool.openai.types import Head, Origin, ToolCall, Usage


class MessageEvents:
    """One message being told: at most one text block is open, and tool calls come whole."""

    def __init__(self, job: JobId, head: Head) -> None:
        self._job = job
        self._head = head
        self._blocks = 0
        self._open = False

    def opening(self, usage: Usage) -> bytes:
        """The message before it has any content; `usage` as known by now, the end tells it again."""
        return _event("message_start", message=message_json(self._job, self._head, usage)) + _event("ping")

    def moved(self, model: ModelId) -> None:
        """What is told from here on names another model."""
        self._head = self._head.but(model=model)

    def text(self, delta: str) -> bytes:
        """More text; the first opens a block."""
        before = b"" if self._open else self._block("start", content_block={"type": "text", "text": ""})
        self._open = True
        return before + self._block("delta", delta={"type": "text_delta", "text": delta})

    def call(self, call: ToolCall) -> bytes:
        """A whole tool call."""
        before = self._close()
        block: Json = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
        before += self._block("start", content_block=block)
        before += self._block("delta", delta={"type": "input_json_delta", "partial_json": call.arguments})
        self._open = True
        return before + self._close()

    def finish(self, reason: str, stop: str, usage: Usage, origin: Origin) -> bytes:
        """The end."""
        told = _event("message_delta", delta=stopped(reason, stop), usage=usage_json(usage), x_iamine=origin_json(origin))
        return self._close() + told + _event("message_stop")

    def failure(self, error: Exception) -> bytes:
        """An error after the stream was opened; nothing follows."""
        return b"event: error\ndata: " + anthropic_error(error, self._job) + b"\n\n"

    def _close(self) -> bytes:
        """End the open block, if there is one."""
        if not self._open:
            return b""
        told = self._block("stop")
        self._open = False
        self._blocks += 1
        return told

    def _block(self, what: Literal["start", "delta", "stop"], **fields: object) -> bytes:
        return _event(f"content_block_{what}", index=self._blocks, **fields)


def _event(kind: str, **fields: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), ENCODE({"type": kind, **fields}))
