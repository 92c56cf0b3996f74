"""The events of a stream, against OpenAI's own types."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import Completion
from openai.types.chat import ChatCompletionChunk

from iamine.ids import JobId, ModelId, WorkerId
from iamine.wire.messages import TokenLogprob
from pool.errors import Unavailable
from pool.openai.chunks import DONE, ChatChunks, TextChunks, comment, error_event
from pool.openai.types import Head, Origin, Span, ToolCall, Usage

HEAD = Head(id="chatcmpl-1", model=ModelId("m"), created=1, fingerprint="fp_1")
ORIGIN = Origin(job=JobId("job_1"), model=ModelId("m"), spans=(Span(worker=WorkerId("w"), start=0, stop=2),))
USAGE = Usage(prompt_tokens=3, completion_tokens=2, cached_tokens=1)
HI = TokenLogprob(id=1, logprob=-0.5, bytes=(72, 105))


def events(data: bytes) -> list[dict[str, Any]]:
    lines = data.decode().split("\n\n")
    assert lines.pop() == ""
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def test_a_chat_is_role_content_and_end() -> None:
    chunks = ChatChunks(HEAD, include_usage=False)
    told = chunks.role(0) + chunks.content(0, "Hi", ()) + chunks.content(1, "é\u2028", [HI]) + chunks.finish(0, "stop")
    role, hi, second, end = events(told)
    assert role["choices"][0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert hi == {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "system_fingerprint": "fp_1",
        "choices": [{"index": 0, "delta": {"content": "Hi"}, "logprobs": None, "finish_reason": None}],
    }
    assert second["choices"][0]["index"] == 1
    assert second["choices"][0]["delta"] == {"content": "é\u2028"}
    assert second["choices"][0]["logprobs"]["content"][0]["token"] == "Hi"
    assert end["choices"][0] == {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}
    for chunk in (role, hi, second, end):
        ChatCompletionChunk.model_validate(chunk, strict=True)


def test_reasoning_is_told_apart() -> None:
    (hm,) = events(ChatChunks(HEAD, include_usage=False).reasoning(1, 'Hm "é"'))
    assert hm["choices"] == [{"index": 1, "delta": {"reasoning_content": 'Hm "é"'}, "logprobs": None, "finish_reason": None}]
    ChatCompletionChunk.model_validate(hm, strict=True)


def test_a_call_is_told_in_two_deltas() -> None:
    call = ToolCall(index=1, id="call_1", name="f", arguments='{"a": 1}')
    first, then = events(ChatChunks(HEAD, include_usage=False).call(0, call))
    assert first["choices"][0]["delta"]["tool_calls"] == [
        {"index": 1, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}}
    ]
    assert then["choices"][0]["delta"]["tool_calls"] == [{"index": 1, "function": {"arguments": '{"a": 1}'}}]


def test_usage_is_null_until_the_last_chunk_that_has_no_choices() -> None:
    chunks = ChatChunks(HEAD, include_usage=True)
    (hi,) = events(chunks.content(0, "Hi", ()))
    assert hi["usage"] is None
    (last,) = events(chunks.usage(USAGE, ORIGIN))
    assert last["choices"] == []
    assert last["usage"]["total_tokens"] == 5
    assert last["usage"]["prompt_tokens_details"]["cached_tokens"] == 1
    assert last["x_iamine"] == {"job": "job_1", "model": "m", "segments": [{"worker": "w", "from": 0, "to": 2}], "memory": None}
    ChatCompletionChunk.model_validate(last, strict=True)


@pytest.mark.parametrize("include_usage", [False, True])
def test_the_last_chunk_tells_where_the_answer_came_from(include_usage: bool) -> None:
    chunks = ChatChunks(HEAD, include_usage=include_usage)
    (last,) = events(chunks.with_origin(chunks.finish(0, "length"), ORIGIN))
    assert last["x_iamine"]["job"] == "job_1"
    assert last["choices"][0]["finish_reason"] == "length"


def test_text_is_told_with_offsets_that_go_on() -> None:
    chunks = TextChunks(HEAD, include_usage=False)
    first, second, plain, end = events(
        chunks.content(0, "Hi", [HI]) + chunks.content(0, "Hi", [HI]) + chunks.content(0, "!", ()) + chunks.finish(0, "stop")
    )
    assert first["choices"][0]["text"] == "Hi"
    assert first["choices"][0]["logprobs"]["text_offset"] == [0]
    assert second["choices"][0]["logprobs"]["text_offset"] == [2]
    assert plain["choices"][0]["logprobs"] is None
    assert end["choices"][0] == {"index": 0, "text": "", "logprobs": None, "finish_reason": "stop"}
    Completion.model_validate(end)


@given(st.text())
def test_any_text_arrives_as_it_is(text: str) -> None:
    (chunk,) = events(ChatChunks(HEAD, include_usage=True).content(0, text, ()))
    assert chunk["choices"][0]["delta"]["content"] == text


def test_comments_errors_and_the_end() -> None:
    assert comment("queued\nposition=1") == b": queued position=1\n\n"
    (error,) = events(error_event(Unavailable("Nobody.")))
    assert error["error"]["message"] == "Nobody."
    assert DONE == b"data: [DONE]\n\n"


def test_a_choice_that_moved_names_its_model_from_there_on() -> None:
    for chunks in (ChatChunks(HEAD, include_usage=True), TextChunks(HEAD, include_usage=True)):
        before = chunks.content(0, "a", ()) + chunks.content(1, "a", ())
        chunks.moved(1, ModelId("big"), "fp_2")
        second = chunks.content(0, "b", ()) + chunks.content(1, "b", ())
        chunks.moved(0, ModelId("big"), "fp_2")
        after = chunks.finish(0, "stop") + chunks.usage(USAGE, ORIGIN)
        told = events(before + second + after)
        assert [one["model"] for one in told] == ["m", "m", "m", "big", "big", "big"]
        assert [one["system_fingerprint"] for one in told[-2:]] == ["fp_2", "fp_2"]
