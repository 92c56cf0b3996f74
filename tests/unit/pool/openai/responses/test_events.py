"""The events of a streamed response, against OpenAI's own types, and against the whole response."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from iamine.ids import JobId, ModelId
from pool.errors import AnswerLost
from pool.openai.responses.events import ResponseEvents
from pool.openai.responses.objects import whole_response
from pool.openai.responses.request import parse_responses
from pool.openai.types import Choice, Head, Origin, ToolCall, Usage

JOB = JobId("job_1")
HEAD = Head(id="chatcmpl-1", model=ModelId("m"), created=1, fingerprint="fp_1")
ORIGIN = Origin(job=JOB, model=ModelId("m"), spans=())
USAGE = Usage(prompt_tokens=3, completion_tokens=2)
ASKED = parse_responses(b'{"model": "m", "input": "Hi"}', seed=1)
CALL = ToolCall(index=0, id="call_1", name="f", arguments='{"a": 1}')
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


def read(data: bytes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for block in data.decode().split("\n\n")[:-1]:
        name, line = block.split("\n")
        found.append(json.loads(line.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
        EVENT.validate_python(found[-1])
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    return found


def stream(*parts: str | ToolCall, reason: str = "stop") -> list[dict[str, Any]]:
    events = ResponseEvents(ASKED, JOB, HEAD)
    told = events.opening(USAGE)
    for part in parts:
        told += events.text(part) if isinstance(part, str) else events.call(part)
    return read(told + events.finish(reason, "", USAGE, ORIGIN))


def test_a_message_is_opened_told_and_closed() -> None:
    told = stream("He", "y")
    assert [event["type"].removeprefix("response.") for event in told] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert (told[0]["response"]["status"], told[0]["response"]["usage"]) == ("in_progress", None)
    assert told[6]["text"] == "Hey"
    assert {event["item_id"] for event in told[3:8]} == {"msg_1_0"}


def test_a_call_closes_the_message_before_it() -> None:
    told = stream("Well.", CALL)
    assert [event["type"].removeprefix("response.") for event in told[7:]] == [
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]
    assert (told[8]["output_index"], told[8]["item"]["arguments"]) == (1, "")
    assert told[9]["delta"] == told[10]["arguments"] == told[11]["item"]["arguments"] == '{"a": 1}'


def test_a_cut_answer_is_incomplete() -> None:
    last = stream("He", reason="length")[-1]
    assert (last["type"], last["response"]["status"]) == ("response.incomplete", "incomplete")
    assert last["response"]["output"][0]["status"] == "incomplete"


@pytest.mark.parametrize("reason", ["stop", "length"])
@given(parts=st.lists(st.one_of(st.text(min_size=1), st.just(CALL)), max_size=5))
def test_the_last_event_holds_the_whole_response(reason: str, parts: list[str | ToolCall]) -> None:
    joined: list[str | ToolCall] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        else:
            joined.append(part)
    choice = Choice(index=0, content="", calls=(), logprobs=None, finish_reason=reason, parts=tuple(joined))
    whole = json.loads(whole_response(ASKED, JOB, HEAD, choice, USAGE, ORIGIN))
    assert stream(*parts, reason=reason)[-1]["response"] == whole


@pytest.mark.parametrize(("error", "code"), [(AnswerLost("It broke off."), "answer_lost"), (ValueError("x"), "internal_error")])
def test_a_failure_is_told_by_itself_and_as_the_end(error: Exception, code: str) -> None:
    events = ResponseEvents(ASKED, JOB, HEAD)
    *_, told, failed = read(events.opening(USAGE) + events.text("He") + events.failure(error))
    assert (told["type"], told["code"]) == ("error", code)
    assert (failed["type"], failed["response"]["status"]) == ("response.failed", "failed")
    assert failed["response"]["error"] == {"code": "server_error", "message": told["message"]}


def test_a_response_that_moved_names_the_model_that_answered() -> None:
    events = ResponseEvents(ASKED, JOB, HEAD)
    told = events.opening(USAGE)
    events.moved(ModelId("big"))
    first, *_, last = read(told + events.text("Hi") + events.finish("stop", "", USAGE, ORIGIN))
    assert (first["response"]["model"], last["response"]["model"]) == ("m", "big")
