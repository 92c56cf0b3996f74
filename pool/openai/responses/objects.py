"""The response object and its items, with exactly OpenAI's fields and `x_iamine`."""

from dataclasses import dataclass

import msgspec

from iamine.ids import JobId
from pool.openai.objects import Json, origin_json
from pool.openai.responses.request import ResponsesRequest
from pool.openai.types import Choice, Head, Origin, ToolCall, Usage


@dataclass(frozen=True, slots=True)
class Numbered:
    """The ids of one response and its items, made of the job's own characters."""

    job: JobId

    def response(self) -> str:
        """resp_…"""
        return f"resp_{self.job.removeprefix('job_')}"

    def item(self, prefix: str, index: int) -> str:
        """msg_… and fc_…; every item's is its own."""
        return f"{prefix}_{self.job.removeprefix('job_')}_{index}"


def usage_json(usage: Usage) -> Json:
    """The `usage` of a response."""
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }


def text_part(text: str) -> Json:
    """The one part of a message."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def message_item(item_id: str, status: str, *parts: Json) -> Json:
    """A message among the output."""
    return {"id": item_id, "type": "message", "status": status, "role": "assistant", "content": list(parts)}


def call_item(item_id: str, status: str, call: ToolCall, arguments: str) -> Json:
    """A function call among the output."""
    return {
        "id": item_id,
        "type": "function_call",
        "status": status,
        "call_id": call.id,
        "name": call.name,
        "arguments": arguments,
    }


def response_json(asked: ResponsesRequest, ids: Numbered, head: Head, **told: object) -> Json:
    """The response object; `told` is what is known of it by now."""
    return {
        "id": ids.response(),
        "object": "response",
        "created_at": head.created,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "model": head.model,
        "output": [],
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": False,
        "top_logprobs": 0,
        "truncation": "disabled",
        "usage": None,
        **asked.repeated,
        **told,
    }


def ending(finish_reason: str, usage: Usage, origin: Origin) -> Json:
    """The fields that the end of an answer settles."""
    cut = finish_reason == "length"
    return {
        "status": "incomplete" if cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "usage": usage_json(usage),
        "x_iamine": origin_json(origin),
    }


def whole_response(asked: ResponsesRequest, job: JobId, head: Head, choice: Choice, usage: Usage, origin: Origin) -> bytes:
    """A whole response."""
    ids = Numbered(job)
    told = ending(choice.finish_reason, usage, origin)
    parts = choice.parts or ("",)
    output: list[Json] = []
    for index, part in enumerate(parts):
        status = told["status"] if index == len(parts) - 1 else "completed"
        if isinstance(part, str):
            output.append(message_item(ids.item("msg", index), str(status), text_part(part)))
        else:
            output.append(call_item(ids.item("fc", index), "completed", part, part.arguments))
    return msgspec.json.encode(response_json(asked, ids, head, output=output, **told))
