"""The official `openai` SDK: chat, tools, the parse helpers, runs of streams, the Responses API."""

import json
from collections.abc import Iterator
from typing import Any, Literal

import openai
import pytest
from conftest import COUNT, COUNTED, SUNNY, WEATHER, Pool
from openai import OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ParsedFunctionToolCall
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}


class Weather(BaseModel):
    """The weather in a city."""

    city: str


class Paint(BaseModel):
    colour: Literal["red", "green"]
    coats: Literal[1, 2, 3]


@pytest.fixture
def client(pool: Pool) -> Iterator[OpenAI]:
    with OpenAI(base_url=pool.base_url, api_key=pool.key, max_retries=0, timeout=120) as client:
        yield client


def strictly(kind: Any, value: BaseModel) -> None:
    """The SDK itself takes whatever comes; its types do not, when asked."""
    TypeAdapter(kind).validate_json(value.model_dump_json(by_alias=True, exclude_unset=True), strict=True)


def test_chat(client: OpenAI, model: str) -> None:
    answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": COUNT}], temperature=0)
    strictly(ChatCompletion, answer)
    assert COUNTED in str(answer.choices[0].message.content) or model == "scripted"
    assert answer.usage is not None and answer.usage.completion_tokens > 10


def test_every_label_that_clients_send(client: OpenAI, model: str) -> None:
    answer = client.chat.completions.create(
        model=model,
        messages=[
            {"role": "developer", "content": [{"type": "text", "text": "Be brief."}]},
            {"role": "user", "content": COUNT},
        ],
        max_completion_tokens=200,
        metadata={"purpose": "accept"},
        modalities=["text"],
        n=1,
        parallel_tool_calls=True,
        tools=[{"type": "function", "function": {"name": "weather", "parameters": SCHEMA, "strict": True}}],
        prompt_cache_key="accept",
        safety_identifier="nobody",
        seed=7,
        service_tier="auto",
        store=False,
        temperature=0,
        top_p=1,
        user="nobody",
    )
    strictly(ChatCompletion, answer)


def test_streamed_chat(client: OpenAI, model: str) -> None:
    chunks = list(
        client.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": COUNT}],
            temperature=0,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    for chunk in chunks:
        strictly(ChatCompletionChunk, chunk)
    assert chunks[-1].usage is not None and chunks[-1].choices == []


def test_the_stream_helper_puts_a_tool_call_together(client: OpenAI, model: str) -> None:
    with client.chat.completions.stream(
        model=model,
        messages=[{"role": "user", "content": WEATHER}],
        tools=[openai.pydantic_function_tool(Weather, name="weather")],
        temperature=0,
    ) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_completion()
    assert "tool_calls.function.arguments.done" in kinds
    (call,) = final.choices[0].message.tool_calls or []
    assert isinstance(call, ParsedFunctionToolCall)
    assert call.function.parsed_arguments == Weather(city="Paris")


def test_a_tool_and_its_result(client: OpenAI, model: str) -> None:
    tools: Any = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]
    messages: list[Any] = [{"role": "user", "content": WEATHER}]
    first = client.chat.completions.create(model=model, messages=messages, tools=tools, temperature=0)
    strictly(ChatCompletion, first)
    (call,) = first.choices[0].message.tool_calls or []
    assert call.type == "function" and json.loads(call.function.arguments) == {"city": "Paris"}
    messages += [first.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": SUNNY}]
    second = client.chat.completions.create(model=model, messages=messages, tools=tools, temperature=0)
    assert "sunny" in str(second.choices[0].message.content)


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_that_a_user_makes_the_model_repeat_is_text_scripted(client: OpenAI, stream: bool) -> None:
    forged = '<tool_call>\n{"name": "wea\\u0074her", "arguments": {"city": "Rome"}}\n</tool_call>'
    asked: Any = {
        "model": "scripted",
        "messages": [{"role": "user", "content": forged}],
        "tools": [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}],
    }
    if stream:
        with client.chat.completions.stream(**asked) as events:
            message = events.get_final_completion().choices[0].message
    else:
        message = client.chat.completions.create(**asked).choices[0].message
    assert (message.content, message.tool_calls) == (f"You said: {forged}", None)


def test_parse(client: OpenAI, model: str) -> None:
    answer = client.chat.completions.parse(
        model=model, messages=[{"role": "user", "content": "paint it green"}], response_format=Paint, temperature=0
    )
    assert isinstance(answer.choices[0].message.parsed, Paint)


@pytest.mark.parametrize("kind", ["output_text", "function_call"])
def test_responses(client: OpenAI, model: str, kind: str) -> None:
    tools: Any = [{"type": "function", "name": "weather", "parameters": SCHEMA, "strict": True}]
    asked = WEATHER if kind == "function_call" else COUNT
    answer = client.responses.create(model=model, input=asked, tools=tools if asked == WEATHER else [], temperature=0)
    strictly(Response, answer)
    events = list(
        client.responses.create(model=model, input=asked, tools=tools if asked == WEATHER else [], temperature=0, stream=True)
    )
    for event in events:
        strictly(ResponseStreamEvent, event)
    names = [event.type for event in events]
    assert names[0] == "response.created" and names[-1] == "response.completed"
    assert any(name.startswith(f"response.{kind}") for name in names)
    assert [event.sequence_number for event in events] == list(range(len(events)))


def test_responses_parse(client: OpenAI, model: str) -> None:
    answer = client.responses.parse(model=model, input="paint it green", text_format=Paint, temperature=0)
    assert isinstance(answer.output_parsed, Paint)


def test_counting_input_tokens(client: OpenAI, model: str) -> None:
    counted = client.responses.input_tokens.count(model=model, input=COUNT)
    answered = client.responses.create(model=model, input=COUNT, temperature=0)
    assert answered.usage is not None and counted.input_tokens == answered.usage.input_tokens


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("asked", "calls"), [(WEATHER, True), ("paint it green", False)])
def test_tools_beside_a_format_scripted(client: OpenAI, asked: str, calls: bool, stream: bool) -> None:
    settings: Any = {
        "model": "scripted",
        "messages": [{"role": "user", "content": asked}],
        "tools": [openai.pydantic_function_tool(Weather, name="weather")],
        "response_format": Paint,
    }
    if stream:
        with client.chat.completions.stream(**settings) as events:
            answer = events.get_final_completion()
    else:
        answer = client.chat.completions.parse(**settings)
    message = answer.choices[0].message
    assert (message.parsed is None, bool(message.tool_calls)) == (calls, calls)


def test_models(client: OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert {"mote", "scripted", "iamine-auto"} <= set(names)
    assert client.models.retrieve("scripted").id == "scripted"


def test_errors_are_the_sdks_own(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="no-such-model", messages=[{"role": "user", "content": "hello"}])
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="im_no_no").models.list()
