"""The official `openai` SDK against `iamine up` with mote."""

import asyncio
import json
from typing import Any

import openai
import pytest
from house import House
from openai import AsyncOpenAI, OpenAI

COUNT: Any = [{"role": "user", "content": "count from 3 to 12"}]
COUNTED = "3 4 5 6 7 8 9 10 11 12"
HELLO: Any = [{"role": "user", "content": "hello"}]


def test_chat(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="mote", messages=COUNT, temperature=0)
    assert answer.choices[0].message.content == COUNTED
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 10


def test_stream_with_usage(client: OpenAI) -> None:
    stream = client.chat.completions.create(
        model="mote", messages=COUNT, temperature=0, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == COUNTED
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None and chunks[-1].usage.completion_tokens > 10
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"


def test_async_clients_are_served_together(shared: House) -> None:
    async def ask() -> list[str | None]:
        async with AsyncOpenAI(base_url=f"{shared.url}/v1", api_key=shared.key) as client:
            answers = await asyncio.gather(
                *[client.chat.completions.create(model="mote", messages=COUNT, temperature=0) for _ in range(10)]
            )
        return [answer.choices[0].message.content for answer in answers]

    assert asyncio.run(ask()) == [COUNTED] * 10


def test_logprobs(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="mote", messages=COUNT, temperature=0, logprobs=True, top_logprobs=3)
    logprobs = answer.choices[0].logprobs
    assert logprobs is not None and logprobs.content is not None and answer.usage is not None
    assert "".join(token.token for token in logprobs.content) == COUNTED
    for token in logprobs.content:
        assert token.logprob <= 0
        assert len(token.top_logprobs) == 3
        assert token.top_logprobs[0].token == token.token, "greedy takes the best"
        assert [t.logprob for t in token.top_logprobs] == sorted((t.logprob for t in token.top_logprobs), reverse=True)


@pytest.mark.parametrize("stop", [" 7", [" 99", "6 7"]])
def test_stop(client: OpenAI, stop: Any) -> None:
    answer = client.chat.completions.create(model="mote", messages=COUNT, temperature=0, stop=stop)
    expected = COUNTED[: COUNTED.index(stop if isinstance(stop, str) else "6 7")]
    assert answer.choices[0].message.content == expected
    assert answer.choices[0].finish_reason == "stop"


def test_max_tokens_ends_with_length(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="mote", messages=COUNT, temperature=0, max_completion_tokens=4)
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage is not None and answer.usage.completion_tokens == 4


def test_n_gives_different_samples_that_a_seed_repeats(client: OpenAI) -> None:
    def ask(seed: int) -> list[str | None]:
        answer = client.chat.completions.create(model="mote", messages=HELLO, temperature=2.0, n=3, seed=seed, max_tokens=30)
        assert [choice.index for choice in answer.choices] == [0, 1, 2]
        return [choice.message.content for choice in answer.choices]

    first = ask(42)
    assert ask(42) == first
    assert len(set(first + ask(43))) > 1


def test_n_streams_interleave_by_index(client: OpenAI) -> None:
    texts = ["", ""]
    stream = client.chat.completions.create(model="mote", messages=COUNT, temperature=0, n=2, stream=True)
    for chunk in stream:
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert texts == [COUNTED, COUNTED]


def test_json_schema_holds_whatever_the_model_would_say(client: OpenAI) -> None:
    schema = {
        "type": "object",
        "properties": {"colour": {"enum": ["red", "green"]}, "size": {"type": "integer", "minimum": 1, "maximum": 99}},
        "required": ["colour", "size"],
        "additionalProperties": False,
    }
    answer = client.chat.completions.create(
        model="mote",
        messages=HELLO,
        temperature=0,
        response_format={"type": "json_schema", "json_schema": {"name": "thing", "schema": schema, "strict": True}},
    )
    thing = json.loads(answer.choices[0].message.content or "")
    assert set(thing) == {"colour", "size"}
    assert thing["colour"] in ("red", "green") and isinstance(thing["size"], int)


def test_tool_call_and_result(client: OpenAI) -> None:
    tools: Any = [
        {
            "type": "function",
            "function": {
                "name": "weather",
                "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
            },
        }
    ]
    messages: Any = [{"role": "user", "content": "What is the weather in Paris?"}]
    first = client.chat.completions.create(model="mote", messages=messages, tools=tools, temperature=0)
    assert first.choices[0].finish_reason == "tool_calls"
    (call,) = first.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "Paris"})
    messages += [first.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "sunny, 21 degrees"}]
    second = client.chat.completions.create(model="mote", messages=messages, tools=tools, temperature=0)
    assert second.choices[0].finish_reason == "stop"
    assert "sunny" in (second.choices[0].message.content or "")


def test_beside_a_format_the_answer_is_a_call_or_in_the_format(client: OpenAI) -> None:
    city = {"type": "object", "properties": {"city": {"enum": ["Paris"]}}, "required": ["city"], "additionalProperties": False}
    asked: Any = {
        "model": "mote",
        "messages": [{"role": "user", "content": "What is the weather in Paris?"}],
        "tools": [{"type": "function", "function": {"name": "weather", "parameters": city}}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "where", "schema": city}},
    }
    message = client.chat.completions.create(temperature=0, **asked).choices[0].message
    told = message.tool_calls[0].function.arguments if message.tool_calls else message.content  # type: ignore[union-attr]
    assert json.loads(told or "") == {"city": "Paris"}
    assert (message.content is None) == bool(message.tool_calls)


def test_raw_completion(client: OpenAI) -> None:
    prompt = "<|im_start|>user\ncount from 3 to 12<|im_end|>\n<|im_start|>assistant\n"
    answer = client.completions.create(model="mote", prompt=prompt, temperature=0, max_tokens=50)
    assert answer.choices[0].text == COUNTED
    streamed = client.completions.create(model="mote", prompt=prompt, temperature=0, max_tokens=50, stream=True)
    assert "".join(chunk.choices[0].text for chunk in streamed) == COUNTED


def test_multi_part_and_unicode_text(client: OpenAI) -> None:
    parts: Any = [{"role": "user", "content": [{"type": "text", "text": "count from "}, {"type": "text", "text": "3 to 12"}]}]
    assert client.chat.completions.create(model="mote", messages=parts, temperature=0).choices[0].message.content == COUNTED
    odd: Any = [{"role": "user", "content": "say é 漢字 🙂 \u202e \x07"}]
    answer = client.chat.completions.create(model="mote", messages=odd, temperature=0, max_tokens=60)
    assert answer.choices[0].message.content is not None


def test_models(client: OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["mote", "iamine-auto", "iamine-micro"], "real ones first"
    assert client.models.retrieve("mote").object == "model"
    assert client.models.retrieve("iamine-auto").object == "model"


def test_errors_are_the_sdks_own(shared: House, client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="gpt-none", messages=HELLO)
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nothing")
    with pytest.raises(openai.BadRequestError) as hot:
        client.chat.completions.create(model="mote", messages=HELLO, temperature=2.5)
    assert hot.value.param == "temperature"
    with pytest.raises(openai.BadRequestError) as unknown:
        client.chat.completions.create(model="mote", messages=HELLO, extra_body={"colour": "red"})
    assert unknown.value.param == "colour"
    with pytest.raises(openai.BadRequestError) as long:
        client.chat.completions.create(model="mote", messages=[{"role": "user", "content": "word " * 5000}])
    assert long.value.code == "context_length_exceeded"
    with pytest.raises(openai.AuthenticationError):
        shared.client(api_key="im_no_no").models.list()
    with pytest.raises(openai.BadRequestError):
        client.embeddings.create(model="mote", input="x")


def test_a_bad_grammar_is_a_400_before_the_stream_opens(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(
            model="mote", messages=HELLO, stream=True, extra_body={"grammar": "this is no grammar ::= ["}
        )
