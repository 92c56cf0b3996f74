"""The events of a stream as bytes: what all chunks of an answer share is encoded once, not per token."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from iamine.ids import ModelId
from iamine.wire.messages import TokenLogprob
from pool.openai.logprobs import chat_logprobs, old_logprobs, text_length
from pool.openai.objects import error_json, origin_json, usage_json
from pool.openai.types import Head, Origin, ToolCall, Usage

DONE = b"data: [DONE]\n\n"
ENCODE = msgspec.json.encode


def comment(text: str) -> bytes:
    """A line that clients skip; it keeps the connection alive and tells people what is going on."""
    return b": " + text.replace("\n", " ").encode() + b"\n\n"


def error_event(error: Exception) -> bytes:
    """An error after the stream was opened; no [DONE] follows."""
    return b"data: " + error_json(error) + b"\n\n"


class Chunks:
    """What chat and text chunks have in common: `data: {head,"choices":[...],tail}`."""

    object: Literal["chat.completion.chunk", "text_completion"]

    def __init__(self, head: Head, *, include_usage: bool) -> None:
        self._told = head
        self._head = self._begin(head)
        self._usage = b',"usage":null' if include_usage else b""
        self._tail = b"]" + self._usage + b"}\n\n"
        self._open: dict[int, bytes] = {}

    def moved(self, choice: int, model: ModelId, fingerprint: str) -> None:
        """From here on the choice's chunks name another model; what is told of the whole answer names choice 0's."""
        head = self._begin(self._told.but(model=model, fingerprint=fingerprint))
        self._open[choice] = head + b'{"index":%d,' % choice
        if choice == 0:
            self._head = head

    def _begin(self, head: Head) -> bytes:
        fields = {
            "id": head.id,
            "object": self.object,
            "created": head.created,
            "model": head.model,
            "system_fingerprint": head.fingerprint,
        }
        return b"data: " + ENCODE(fields)[:-1] + b',"choices":['

    def _choice(self, index: int, body: bytes, rest: bytes) -> bytes:
        start = self._open.get(index)
        if start is None:
            start = self._open[index] = self._head + b'{"index":%d,' % index
        return start + body + rest + self._tail

    def usage(self, usage: Usage, origin: Origin) -> bytes:
        """The chunk without choices that `include_usage` asks for, the last one."""
        return self._head + b'],"usage":' + ENCODE(usage_json(usage)) + b',"x_iamine":' + ENCODE(origin_json(origin)) + b"}\n\n"

    def with_origin(self, chunk: bytes, origin: Origin) -> bytes:
        """The chunk, told where the answer came from: for the last one of an answer."""
        return chunk[:-3] + b',"x_iamine":' + ENCODE(origin_json(origin)) + b"}\n\n"


class ChatChunks(Chunks):
    """The chunks of a streamed chat completion."""

    object = "chat.completion.chunk"

    def role(self, choice: int) -> bytes:
        """The first delta of a choice."""
        return self._choice(choice, b'"delta":{"role":"assistant","content":"","refusal":null}', _OPEN)

    def content(self, choice: int, text: str, logprobs: Sequence[TokenLogprob]) -> bytes:
        """More text, and the log probabilities of its tokens if asked for."""
        rest = b',"logprobs":' + ENCODE(chat_logprobs(logprobs)) + b',"finish_reason":null}' if logprobs else _OPEN
        return self._choice(choice, b'"delta":{"content":' + ENCODE(text) + b"}", rest)

    def reasoning(self, choice: int, text: str) -> bytes:
        """More reasoning, in the field that open models' servers use: OpenAI has none for it."""
        return self._choice(choice, b'"delta":{"reasoning_content":' + ENCODE(text) + b"}", _OPEN)

    def call(self, choice: int, call: ToolCall) -> bytes:
        """A whole tool call: its id and name first, then its arguments."""
        first = {"index": call.index, "id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
        then = {"index": call.index, "function": {"arguments": call.arguments}}
        return b"".join(
            self._choice(choice, b'"delta":{"tool_calls":[' + ENCODE(part) + b"]}", _OPEN) for part in (first, then)
        )

    def finish(self, choice: int, reason: str) -> bytes:
        """The last delta of a choice."""
        return self._choice(choice, b'"delta":{}', b',"logprobs":null,"finish_reason":' + ENCODE(reason) + b"}")


class TextChunks(Chunks):
    """The chunks of a streamed text completion."""

    object = "text_completion"

    def __init__(self, head: Head, *, include_usage: bool) -> None:
        super().__init__(head, include_usage=include_usage)
        self._offsets: dict[int, int] = {}

    def content(self, choice: int, text: str, logprobs: Sequence[TokenLogprob]) -> bytes:
        """More text, and the log probabilities of its tokens if asked for."""
        rest = _OPEN
        if logprobs:
            offset = self._offsets.get(choice, 0)
            self._offsets[choice] = offset + text_length(logprobs)
            rest = b',"logprobs":' + ENCODE(old_logprobs(logprobs, offset)) + b',"finish_reason":null}'
        return self._choice(choice, b'"text":' + ENCODE(text), rest)

    def finish(self, choice: int, reason: str) -> bytes:
        """The last chunk of a choice, without text."""
        return self._choice(choice, b'"text":""', b',"logprobs":null,"finish_reason":' + ENCODE(reason) + b"}")


_OPEN = b',"logprobs":null,"finish_reason":null}'
