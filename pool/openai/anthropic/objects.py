"""Messages and errors with exactly Anthropic's fields, and `x_iamine`."""

from collections.abc import Mapping

import msgspec

from iamine.ids import JobId
from pool.errors import PoolError
from pool.openai.objects import Json, origin_json, told_error
from pool.openai.types import Choice, Head, Origin, ToolCall, Usage

_STOP_REASONS: Mapping[str, str] = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}
# Anthropic's API reference, errors; 503 is told as what their clients know for "come back later".
_ERROR_TYPES: Mapping[int, str] = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
}


def message_id(job: JobId) -> str:
    """msg_…, with the job's own characters."""
    return f"msg_{job.removeprefix('job_')}"


def usage_json(usage: Usage) -> Json:
    """Anthropic's `usage`: tokens read from a cache are counted apart."""
    return {
        "input_tokens": usage.prompt_tokens - usage.cached_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.completion_tokens,
    }


def stopped(finish_reason: str, stop: str) -> Json:
    """Why the answer ended."""
    reason = "stop_sequence" if stop else _STOP_REASONS[finish_reason]
    return {"stop_reason": reason, "stop_sequence": stop or None}


def message_json(job: JobId, head: Head, usage: Usage, **told: object) -> Json:
    """A message; `told` is what is known of it by now."""
    return {
        "id": message_id(job),
        "type": "message",
        "role": "assistant",
        "model": head.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage_json(usage),
        **told,
    }


def whole_message(job: JobId, head: Head, choice: Choice, usage: Usage, origin: Origin) -> bytes:
    """A whole message."""
    told = stopped(choice.finish_reason, choice.stop)
    content = [_block(part) for part in choice.parts]
    return msgspec.json.encode(message_json(job, head, usage, content=content, x_iamine=origin_json(origin), **told))


def _block(part: str | ToolCall) -> Json:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    return {"type": "tool_use", "id": part.id, "name": part.name, "input": msgspec.json.decode(part.arguments)}


def anthropic_error(error: Exception, request_id: str) -> bytes:
    """Anthropic's error envelope; of a foreign exception nothing is told."""
    status = error.status if isinstance(error, PoolError) else 500
    kind = _ERROR_TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    told = {"type": kind, "message": told_error(error).message}
    return msgspec.json.encode({"type": "error", "error": told, "request_id": request_id})
