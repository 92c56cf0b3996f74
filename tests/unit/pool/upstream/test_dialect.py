"""What a provider is sent, and what its chunks say."""

import json
from typing import Any

import pytest

from iamine.ids import ModelId
from pool.dispatch.events import Spoken
from pool.errors import AnswerLost
from pool.openai.chat import parse_chat
from pool.upstream.dialect import Chunks, body_of

LOOK = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]
SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}


def body(**fields: Any) -> dict[str, Any]:
    asked = {"model": "iamine-auto", "messages": [{"role": "user", "content": "Hi"}], "temperature": 0} | fields
    return body_of(parse_chat(json.dumps(asked).encode(), seed=1), ModelId("theirs"), seed=7)


def test_only_what_was_asked_is_sent() -> None:
    assert body() == {
        "model": "theirs",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.0,
        "top_p": 1.0,
        "seed": 7,
    }


def test_what_shapes_the_answer_goes_along() -> None:
    sent = body(tools=LOOK, max_tokens=9, stop=["."], presence_penalty=1, reasoning_effort="low")
    assert (sent["tools"], sent["parallel_tool_calls"], sent["max_tokens"], sent["stop"]) == (LOOK, True, 9, ["."])
    assert (sent["presence_penalty"], sent["reasoning_effort"]) == (1.0, "low")
    assert body(response_format={"type": "json_object"})["response_format"] == {"type": "json_object"}
    assert body(response_format=SCHEMA)["response_format"]["json_schema"]["schema"] == {"type": "object"}
    said = {"role": "assistant", "content": "Yes", "reasoning_content": "Hm"}
    assert body(messages=[said, {"role": "user", "content": "Hi"}])["messages"][0] == {"role": "assistant", "content": "Yes"}


def chunk(reason: str | None = None, **delta: Any) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})


def test_text_reasoning_and_the_end() -> None:
    chunks = Chunks()
    assert chunks.read(chunk(role="assistant", content="")) is None
    assert chunks.read(chunk(reasoning_content="Hm")) == Spoken(tokens=1, reasoning="Hm")
    assert chunks.read(chunk(content="Hi")) == Spoken(tokens=2, content="Hi")
    assert chunks.read(chunk("length")) is None
    assert chunks.read(json.dumps({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 9}})) is None
    ended = chunks.ended()
    assert (ended.reason, ended.tokens, ended.prompt_tokens) == ("length", 9, 3)


def test_calls_are_told_whole() -> None:
    chunks = Chunks()
    first = {"index": 0, "id": "call_1", "function": {"name": "look", "arguments": ""}}
    assert chunks.read(chunk(tool_calls=[first])) is None
    assert chunks.read(chunk(tool_calls=[{"index": 0, "function": {"arguments": '{"a"'}}])) is None
    assert (
        chunks.read(
            chunk(tool_calls=[{"index": 0, "function": {"arguments": ": 1}"}}, {"index": 1, "function": {"name": "f"}}])
        )
        is None
    )
    assert chunks.read(chunk("tool_calls")) == Spoken(tokens=1, calls=(("look", '{"a": 1}'), ("f", "{}")))


@pytest.mark.parametrize(
    "data",
    ["nonsense", "[]", '{"error": {"message": "no"}}', '{"choices": [7]}', '{"choices": [{"delta": {"tool_calls": [{}]}}]}'],
)
def test_what_cannot_be_read_ends_the_answer(data: str) -> None:
    with pytest.raises(AnswerLost):
        Chunks().read(data)


def test_arguments_must_be_an_object_and_an_end_must_have_come() -> None:
    chunks = Chunks()
    chunks.read(chunk(tool_calls=[{"index": 0, "function": {"name": "f", "arguments": "[]"}}]))
    with pytest.raises(AnswerLost):
        chunks.read(chunk("tool_calls"))
    with pytest.raises(AnswerLost):
        Chunks().ended()
