"""The events of a streamed response as bytes, in OpenAI's order, each with its sequence number."""

from iamine.ids import JobId, ModelId
from pool.openai.chunks import ENCODE
from pool.openai.objects import Json, told_error
from pool.openai.responses.objects import Numbered, call_item, ending, message_item, response_json, text_part
from pool.openai.responses.request import ResponsesRequest
from pool.openai.types import Head, Origin, ToolCall, Usage


class ResponseEvents:
    """One response being told: at most one message is open, and calls come whole."""

    def __init__(self, asked: ResponsesRequest, job: JobId, head: Head) -> None:
        self._asked = asked
        self._ids = Numbered(job)
        self._head = head
        self._output: list[Json] = []
        self._text: list[str] = []
        self._place: Json | None = None  # of the open message's text: item_id, output_index, content_index
        self._number = 0

    def opening(self, _usage: Usage) -> bytes:
        """The response before it has any output."""
        return self._response("response.created") + self._response("response.in_progress")

    def moved(self, model: ModelId) -> None:
        """What is told from here on names another model."""
        self._head = self._head.but(model=model)

    def text(self, delta: str) -> bytes:
        """More text; the first opens a message."""
        before = self._open() if self._place is None else b""
        self._text.append(delta)
        return before + self._event("response.output_text.delta", **self._placed(), delta=delta, logprobs=[])

    def call(self, call: ToolCall) -> bytes:
        """A whole function call."""
        before = self._close("completed")
        index = len(self._output)
        item_id = self._ids.item("fc", index)
        item = call_item(item_id, "completed", call, call.arguments)
        self._output.append(item)
        begun = call_item(item_id, "in_progress", call, "")
        place: Json = {"item_id": item_id, "output_index": index}
        name = "response.function_call_arguments"
        return (
            before
            + self._event("response.output_item.added", output_index=index, item=begun)
            + self._event(f"{name}.delta", **place, delta=call.arguments)
            + self._event(f"{name}.done", **place, name=call.name, arguments=call.arguments)
            + self._event("response.output_item.done", output_index=index, item=item)
        )

    def finish(self, reason: str, _stop: str, usage: Usage, origin: Origin) -> bytes:
        """The end: every open item, then the whole response."""
        before = b"" if self._output or self._place else self._open()
        told = ending(reason, usage, origin)
        before += self._close(str(told["status"]))
        return before + self._response(f"response.{told['status']}", output=self._output, **told)

    def failure(self, error: Exception) -> bytes:
        """An error after the stream was opened: told by itself, and as the end of the response."""
        told = told_error(error)
        first = self._event("error", code=told.code, message=told.message, param=told.param)
        error_json = {"code": "server_error", "message": told.message}
        return first + self._response("response.failed", status="failed", error=error_json, output=self._output)

    def _open(self) -> bytes:
        index = len(self._output)
        item_id = self._ids.item("msg", index)
        self._place = {"item_id": item_id, "output_index": index, "content_index": 0}
        item = message_item(item_id, "in_progress")
        return self._event("response.output_item.added", output_index=index, item=item) + self._event(
            "response.content_part.added", **self._place, part=text_part("")
        )

    def _close(self, status: str) -> bytes:
        """End the open message, if there is one."""
        if self._place is None:
            return b""
        place, self._place = self._place, None
        text = "".join(self._text)
        self._text.clear()
        index = len(self._output)
        item = message_item(self._ids.item("msg", index), status, text_part(text))
        self._output.append(item)
        return (
            self._event("response.output_text.done", **place, text=text, logprobs=[])
            + self._event("response.content_part.done", **place, part=text_part(text))
            + self._event("response.output_item.done", output_index=index, item=item)
        )

    def _placed(self) -> Json:
        return self._place or {}

    def _response(self, kind: str, **told: object) -> bytes:
        return self._event(kind, response=response_json(self._asked, self._ids, self._head, **told))

    def _event(self, kind: str, **fields: object) -> bytes:
        number, self._number = self._number, self._number + 1
        return b"event: %b\ndata: %b\n\n" % (
            kind.encode(),
            ENCODE({"type": kind, "sequence_number": number, **fields}),
        )
