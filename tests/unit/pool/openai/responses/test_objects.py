"""Whole responses, against OpenAI's own types."""

import json
from typing import Any

from openai.types.responses import Response

from iamine.ids import JobId, ModelId
from pool.openai.responses.objects import whole_response
from pool.openai.responses.request import parse_responses
from pool.openai.types import Choice, Head, Origin, ToolCall, Usage

JOB = JobId("job_1")
HEAD = Head(id="chatcmpl-1", model=ModelId("m"), created=1, fingerprint="fp_1")
ORIGIN = Origin(job=JOB, model=ModelId("m"), spans=())
USAGE = Usage(prompt_tokens=3, completion_tokens=2, cached_tokens=1)
TOOL = {"type": "function", "name": "f", "parameters": {"type": "object"}}
ASKED = parse_responses(json.dumps({"model": "m", "input": "Hi", "tools": [TOOL], "metadata": {"a": "b"}}).encode(), seed=1)
CALL = ToolCall(index=0, id="call_1", name="f", arguments='{"a": 1}')


def told(*parts: str | ToolCall, reason: str = "stop") -> Any:
    choice = Choice(index=0, content="", calls=(), logprobs=None, finish_reason=reason, parts=parts)
    found = json.loads(whole_response(ASKED, JOB, HEAD, choice, USAGE, ORIGIN))
    Response.model_validate(found, strict=True)
    return found


def test_a_response_has_openais_fields() -> None:
    found = told("Hi")
    assert found["output"] == [
        {
            "id": "msg_1_0",
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Hi", "annotations": [], "logprobs": []}],
        }
    ]
    assert (found["id"], found["status"], found["store"], found["incomplete_details"]) == ("resp_1", "completed", False, None)
    assert found["usage"] == {
        "input_tokens": 3,
        "input_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 0},
        "output_tokens": 2,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 5,
    }
    assert (found["metadata"], found["x_iamine"]["job"]) == ({"a": "b"}, "job_1")


def test_texts_and_calls_keep_their_order() -> None:
    found = told("Well.", CALL, "Done.")
    assert [item["id"] for item in found["output"]] == ["msg_1_0", "fc_1_1", "msg_1_2"]
    assert found["output"][1] == {
        "id": "fc_1_1",
        "type": "function_call",
        "status": "completed",
        "call_id": "call_1",
        "name": "f",
        "arguments": '{"a": 1}',
    }


def test_a_cut_response_is_incomplete_and_so_is_its_last_message() -> None:
    found = told("Well.", "He", reason="length")
    assert (found["status"], found["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert [item["status"] for item in found["output"]] == ["completed", "incomplete"]


def test_an_empty_answer_is_an_empty_message() -> None:
    (message,) = told()["output"]
    assert message["content"][0]["text"] == ""
