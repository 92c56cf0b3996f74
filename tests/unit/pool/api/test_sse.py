"""An answer's events as bytes."""

import json
from typing import Any

from iamine.ids import JobId, ModelId
from iamine.wire.messages import TokenLogprob
from pool.api.sse import ChunkWriter, waiting_comment
from pool.dispatch.events import Accepted, ChoiceDelta, ChoiceEnded, Done, Reading, Waiting
from pool.openai.chunks import ChatChunks, TextChunks
from pool.openai.types import Head, Origin, ToolCall, Usage

HEAD = Head(id="x", model=ModelId("m"), created=1, fingerprint="fp")
DONE = Done(usage=Usage(prompt_tokens=1, completion_tokens=1), origin=Origin(job=JobId("job_1"), model=ModelId("m"), spans=()))


def chunks(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in data.decode().split("\n\n") if line.startswith("data: {")]


def test_only_the_last_chunk_tells_where_the_answer_came_from() -> None:
    writer = ChunkWriter(TextChunks(HEAD, include_usage=False), include_usage=False)
    assert writer.opening(2) == b""
    assert writer.write(ChoiceEnded(choice=0, finish_reason="stop")) == b""
    first, late = chunks(writer.write(ChoiceDelta(choice=1, content="late")))
    assert first["choices"][0]["finish_reason"] == "stop"
    assert late["choices"][0]["text"] == "late"
    assert writer.write(ChoiceEnded(choice=1, finish_reason="length")) == b""
    told = writer.write(DONE)
    (last,) = chunks(told)
    assert last["choices"][0]["index"] == 1
    assert last["x_iamine"]["job"] == "job_1"
    assert "x_iamine" not in first
    assert told.endswith(b"data: [DONE]\n\n")


def test_a_calls_log_probabilities_come_before_it() -> None:
    writer = ChunkWriter(ChatChunks(HEAD, include_usage=True), include_usage=True)
    call = ToolCall(index=0, id="c", name="f", arguments="{}")
    probs = (TokenLogprob(id=1, logprob=-1.0, bytes=(65,)),)
    before, *rest = chunks(writer.write(ChoiceDelta(choice=0, call=call, logprobs=probs)))
    assert before["choices"][0]["logprobs"]["content"][0]["token"] == "A"
    assert [chunk["choices"][0]["delta"]["tool_calls"][0]["index"] for chunk in rest] == [0, 0]


def test_reasoning_has_its_own_field_in_a_chat() -> None:
    (told,) = chunks(
        ChunkWriter(ChatChunks(HEAD, include_usage=False), include_usage=False).write(ChoiceDelta(choice=0, reasoning="Hm"))
    )
    assert told["choices"][0]["delta"] == {"reasoning_content": "Hm"}
    assert told["choices"][0]["logprobs"] is None


def test_waiting_is_told_in_comments_only() -> None:
    writer = ChunkWriter(ChatChunks(HEAD, include_usage=False), include_usage=False)
    for event in (Waiting(position=1, estimate_s=None), Reading(done_tokens=1, total_tokens=2), Accepted()):
        assert writer.write(event) == b""
    assert waiting_comment(Waiting(position=2, estimate_s=3.14)) == b": queued position=2 estimate_s=3.1\n\n"
    assert waiting_comment(Waiting(position=2, estimate_s=None)) == b": queued position=2\n\n"
    assert waiting_comment(Reading(done_tokens=5, total_tokens=9)) == b": reading tokens=5 of=9\n\n"
    assert waiting_comment(None) == b": working\n\n"
