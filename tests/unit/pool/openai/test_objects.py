"""Whole responses, against OpenAI's own types."""

import json
from typing import Any

from openai.types import Completion, CreateEmbeddingResponse, Model
from openai.types.chat import ChatCompletion

from iamine.ids import JobId, ModelId, WorkerId
from iamine.wire.messages import TokenLogprob
from pool.errors import InvalidRequest
from pool.openai.objects import (
    answer_id,
    chat_completion,
    embeddings_list,
    error_json,
    model_json,
    model_list,
    origin_json,
    text_completion,
    to_json,
)
from pool.openai.types import Choice, Chosen, Head, Origin, Span, Thought, ToolCall, Usage

HEAD = Head(id="chatcmpl-1", model=ModelId("m"), created=1, fingerprint="fp_1")
ORIGIN = Origin(job=JobId("job_1"), model=ModelId("m"), spans=())
USAGE = Usage(prompt_tokens=3, completion_tokens=2)
HI = TokenLogprob(id=1, logprob=-0.5, bytes=(72, 105))


def choice(**changes: Any) -> Choice:
    fields: dict[str, Any] = {"index": 0, "content": "Hi", "calls": (), "logprobs": None, "finish_reason": "stop"}
    return Choice(**(fields | changes))


def test_a_chat_completion_has_openais_fields() -> None:
    told = json.loads(chat_completion(HEAD, [choice(), choice(index=1, logprobs=(HI,))], USAGE, ORIGIN))
    ChatCompletion.model_validate(told, strict=True)
    assert told["choices"][0]["message"] == {"role": "assistant", "content": "Hi", "refusal": None, "annotations": []}
    assert told["choices"][0]["logprobs"] is None
    assert told["choices"][1]["logprobs"]["content"][0]["token"] == "Hi"
    assert told["usage"]["total_tokens"] == 5
    assert told["x_iamine"] == {"job": "job_1", "model": "m", "segments": [], "memory": None}


def test_calls_go_with_content_or_null() -> None:
    call = ToolCall(index=0, id="call_1", name="f", arguments="{}")
    for content, told_content in (("", None), ("Well.", "Well.")):
        calling = choice(content=content, calls=(call,), finish_reason="tool_calls")
        message = json.loads(chat_completion(HEAD, [calling], USAGE, ORIGIN))["choices"][0]["message"]
        assert message["content"] == told_content
        assert message["tool_calls"] == [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]


def test_reasoning_goes_beside_the_content() -> None:
    usage = Usage(prompt_tokens=3, completion_tokens=9, reasoning_tokens=7)
    told = json.loads(chat_completion(HEAD, [choice(reasoning="Hm.")], usage, ORIGIN))
    message = told["choices"][0]["message"]
    assert (message["content"], message["reasoning_content"]) == ("Hi", "Hm.")
    assert told["usage"]["completion_tokens_details"]["reasoning_tokens"] == 7
    ChatCompletion.model_validate(told, strict=True)


def test_a_text_completion_has_openais_fields() -> None:
    told = json.loads(text_completion(HEAD, [choice(), choice(index=1, logprobs=(HI,))], USAGE, ORIGIN))
    Completion.model_validate(told)
    assert told["choices"][0] == {"text": "Hi", "index": 0, "logprobs": None, "finish_reason": "stop"}
    assert told["choices"][1]["logprobs"]["tokens"] == ["Hi"]


def test_segments_name_their_choice_when_there_are_several() -> None:
    worker = WorkerId("w")
    one, other = Span(worker=worker, start=0, stop=2), Span(worker=worker, start=0, stop=3, choice=1)
    told = origin_json(Origin(job=JobId("j"), model=ModelId("m"), spans=(one, other)))
    assert told["segments"] == [
        {"worker": "w", "from": 0, "to": 2, "choice": 0},
        {"worker": "w", "from": 0, "to": 3, "choice": 1},
    ]


def test_embeddings_are_floats_or_base64() -> None:
    for base64, first in ((False, [0.5, 1.0]), (True, "AAAAPwAAgD8=")):
        told = json.loads(embeddings_list(ModelId("e"), [(0.5, 1.0)], 4, ORIGIN, base64=base64))
        assert told["data"] == [{"object": "embedding", "index": 0, "embedding": first}]
        assert told["usage"] == {"prompt_tokens": 4, "total_tokens": 4}
        if not base64:
            CreateEmbeddingResponse.model_validate(told)


def test_models_are_listed() -> None:
    one = model_json(ModelId("m"), created=1, owned_by="iamine", about={"workers": 2})
    Model.model_validate(one)
    assert json.loads(model_list([one])) == {"object": "list", "data": [one]}
    assert json.loads(to_json(one)) == one


def test_errors_have_the_envelope_and_foreign_ones_tell_nothing() -> None:
    ours = json.loads(error_json(InvalidRequest("No.", param="n", hint="Send 1.")))
    assert ours == {"error": {"message": "No. Send 1.", "type": "invalid_request_error", "param": "n", "code": "invalid_value"}}
    foreign = json.loads(error_json(ValueError("secret")))["error"]
    assert (foreign["type"], foreign["code"], foreign["param"]) == ("server_error", "internal_error", None)
    assert "secret" not in foreign["message"]


def test_the_clients_id_is_the_jobs() -> None:
    assert answer_id("chatcmpl", JobId("job_abc")) == "chatcmpl-abc"


def test_an_answers_tier_is_told() -> None:
    chosen = Chosen(tier="micro", degraded=True, reason="why")
    told = origin_json(Origin(job=JobId("j"), model=ModelId("m"), spans=(), chosen=chosen))
    assert told.pop("memory") is None
    assert told == {"job": "j", "model": "m", "segments": [], "tier": "micro", "degraded": True, "reason": "why"}


def test_where_several_models_worked_each_is_named() -> None:
    spans = (
        Span(worker=WorkerId("a"), start=0, stop=2, model="small"),
        Span(worker=WorkerId("b"), start=2, stop=3),
    )
    thought = Thought(model=ModelId("big"), worker=WorkerId("c"), tokens=4, answered=True)
    told = origin_json(Origin(job=JobId("job_1"), model=ModelId("m"), spans=spans, thoughts=(thought,)))
    assert told["segments"] == [{"worker": "a", "from": 0, "to": 2, "model": "small"}, {"worker": "b", "from": 2, "to": 3}]
    assert told["thinks"] == [{"model": "big", "worker": "c", "tokens": 4, "answered": True}]


def test_an_error_may_quote_bytes_that_are_no_text() -> None:
    told = json.loads(error_json(InvalidRequest("Unknown Expect: \udcff.")))
    assert told["error"]["message"] == "Unknown Expect: \\udcff."
