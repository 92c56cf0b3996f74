"""Whole messages and errors as Anthropic writes them."""

import json
from typing import Any

import pytest

from iamine.ids import JobId, ModelId
from pool.errors import MethodNotAllowed, PayloadTooLarge, PermissionDenied, PoolError, RateLimited, Unavailable
from pool.openai.anthropic.objects import anthropic_error, whole_message
from pool.openai.types import Choice, Head, Origin, ToolCall, Usage

JOB = JobId("job_1")
HEAD = Head(id="chatcmpl-1", model=ModelId("m"), created=1, fingerprint="fp_1")
ORIGIN = Origin(job=JOB, model=ModelId("m"), spans=())
USAGE = Usage(prompt_tokens=3, completion_tokens=2, cached_tokens=1)
CALL = ToolCall(index=0, id="call_1", name="f", arguments='{"a": 1}')


def told(*parts: str | ToolCall, reason: str = "stop", stop: str = "") -> Any:
    choice = Choice(index=0, content="", calls=(), logprobs=None, finish_reason=reason, parts=parts, stop=stop)
    return json.loads(whole_message(JOB, HEAD, choice, USAGE, ORIGIN))


def test_a_message_has_anthropics_fields() -> None:
    assert told("Well.", CALL, reason="tool_calls") == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": "Well."}, {"type": "tool_use", "id": "call_1", "name": "f", "input": {"a": 1}}],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {"input_tokens": 2, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 1, "output_tokens": 2},
        "x_iamine": {"job": "job_1", "model": "m", "segments": [], "memory": None},
    }


@pytest.mark.parametrize(
    ("reason", "stop", "shown"),
    [("stop", "", "end_turn"), ("length", "", "max_tokens"), ("stop", "x", "stop_sequence")],
)
def test_why_it_ended(reason: str, stop: str, shown: str) -> None:
    found = told("Hi", reason=reason, stop=stop)
    assert (found["stop_reason"], found["stop_sequence"]) == (shown, stop or None)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (MethodNotAllowed("No."), "invalid_request_error"),
        (PermissionDenied("No."), "permission_error"),
        (PayloadTooLarge("No."), "request_too_large"),
        (RateLimited("No."), "rate_limit_error"),
        (Unavailable("No."), "overloaded_error"),
        (PoolError("No."), "api_error"),
        (ValueError("secret"), "api_error"),
    ],
)
def test_errors_have_anthropics_envelope(error: Exception, kind: str) -> None:
    found = json.loads(anthropic_error(error, "req_1"))
    assert (found["type"], found["error"]["type"], found["request_id"]) == ("error", kind, "req_1")
    assert "secret" not in found["error"]["message"]
