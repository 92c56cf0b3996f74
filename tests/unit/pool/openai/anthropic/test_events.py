"""The events of a streamed message, in Anthropic's order."""

import json
from typing import Any

from iamine.ids import JobId, ModelId
from pool.errors import AnswerLost
from pool.openai.anthropic.events import MessageEvents
from pool.openai.types import Head, Origin, ToolCall, Usage

JOB = JobId("job_1")
HEAD = Head(id="chatcmpl-1", model=ModelId("m"), created=1, fingerprint="fp_1")
ORIGIN = Origin(job=JOB, model=ModelId("m"), spans=())
BEGUN = Usage(prompt_tokens=3, completion_tokens=0, cached_tokens=1)
USAGE = Usage(prompt_tokens=3, completion_tokens=2, cached_tokens=1)
CALL = ToolCall(index=0, id="call_1", name="f", arguments='{"a": 1}')


def read(data: bytes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for block in data.decode().split("\n\n")[:-1]:
        name, line = block.split("\n")
        found.append(json.loads(line.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


def test_texts_and_calls_are_blocks_in_their_order() -> None:
    events = MessageEvents(JOB, HEAD)
    told = read(
        events.opening(BEGUN)
        + events.text("He")
        + events.text("y")
        + events.call(CALL)
        + events.call(CALL)
        + events.text("!")
        + events.finish("tool_calls", "", USAGE, ORIGIN)
    )
    assert [(event["type"], event.get("index")) for event in told] == [
        ("message_start", None),
        ("ping", None),
        ("content_block_start", 0),
        ("content_block_delta", 0),
        ("content_block_delta", 0),
        ("content_block_stop", 0),
        *[(f"content_block_{what}", 1) for what in ("start", "delta", "stop")],
        *[(f"content_block_{what}", 2) for what in ("start", "delta", "stop")],
        *[(f"content_block_{what}", 3) for what in ("start", "delta", "stop")],
        ("message_delta", None),
        ("message_stop", None),
    ]
    message = told[0]["message"]
    assert (message["id"], message["content"], message["stop_reason"]) == ("msg_1", [], None)
    assert (message["usage"]["input_tokens"], message["usage"]["output_tokens"]) == (2, 0)
    assert told[2]["content_block"] == {"type": "text", "text": ""}
    assert told[3]["delta"] == {"type": "text_delta", "text": "He"}
    assert told[6]["content_block"] == {"type": "tool_use", "id": "call_1", "name": "f", "input": {}}
    assert told[7]["delta"] == {"type": "input_json_delta", "partial_json": '{"a": 1}'}
    assert told[-2]["delta"] == {"stop_reason": "tool_use", "stop_sequence": None}
    assert (told[-2]["usage"]["output_tokens"], told[-2]["x_iamine"]["job"]) == (2, "job_1")


def test_an_empty_answer_has_no_blocks() -> None:
    events = MessageEvents(JOB, HEAD)
    told = read(events.finish("stop", "x", USAGE, ORIGIN))
    assert [event["type"] for event in told] == ["message_delta", "message_stop"]
    assert told[0]["delta"] == {"stop_reason": "stop_sequence", "stop_sequence": "x"}


def test_a_failure_is_the_last_event() -> None:
    (told,) = read(MessageEvents(JOB, HEAD).failure(AnswerLost("It broke off.")))
    assert told["error"] == {"type": "overloaded_error", "message": "It broke off."}


def test_a_message_that_moved_before_its_start_names_the_model_that_answers() -> None:
    events = MessageEvents(JOB, HEAD)
    events.moved(ModelId("big"))
    assert read(events.opening(BEGUN))[0]["message"]["model"] == "big"
