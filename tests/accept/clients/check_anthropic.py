"""The official `anthropic` SDK: messages, streams, tools and their results."""

import json
from collections.abc import Iterator
from typing import Any, Literal

import anthropic
import pytest
from anthropic import Anthropic
from anthropic.types import Message, ModelInfo, RawMessageStreamEvent
from conftest import COUNT, COUNTED, SUNNY, WEATHER, Pool
from pydantic import BaseModel, TypeAdapter


class Paint(BaseModel):
    colour: Literal["red", "green"]
    coats: Literal[1, 2, 3]


TOOLS: Any = [
    {
        "name": "weather",
        "description": "The weather in a city.",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }
]


@pytest.fixture
def client(pool: Pool) -> Iterator[Anthropic]:
    with Anthropic(base_url=pool.url, api_key=pool.key, max_retries=0, timeout=120) as client:
        yield client


def ask(client: Anthropic, model: str, *messages: Any, **more: Any) -> Any:
    return client.messages.create(model=model, max_tokens=300, messages=messages, **more)


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def strictly(kind: Any, value: BaseModel) -> None:
    TypeAdapter(kind).validate_json(value.model_dump_json(by_alias=True, exclude_unset=True), strict=True)


def test_a_message(client: Anthropic, model: str) -> None:
    message = ask(client, model, user(COUNT))
    strictly(Message, message)
    assert message.stop_reason == "end_turn" and message.usage.output_tokens > 10
    assert COUNTED in message.content[0].text or model == "scripted"


def test_events_of_a_stream(client: Anthropic, model: str) -> None:
    for event in ask(client, model, user(WEATHER), tools=TOOLS, stream=True):
        strictly(RawMessageStreamEvent, event)


def test_the_stream_helper(client: Anthropic, model: str) -> None:
    with client.messages.stream(model=model, max_tokens=300, messages=[user(COUNT)]) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert final.content[0].type == "text" and final.content[0].text == text
    assert final.usage.output_tokens > 10


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_and_its_result(client: Anthropic, model: str, stream: bool) -> None:
    if stream:
        with client.messages.stream(model=model, max_tokens=300, messages=[user(WEATHER)], tools=TOOLS) as events:
            first = events.get_final_message()
    else:
        first = ask(client, model, user(WEATHER), tools=TOOLS)
    use = first.content[-1]
    assert first.stop_reason == "tool_use" and use.type == "tool_use" and use.input == {"city": "Paris"}
    result = {"type": "tool_result", "tool_use_id": use.id, "content": SUNNY}
    second = ask(client, model, user(WEATHER), {"role": "assistant", "content": first.content}, user([result]), tools=TOOLS)
    assert "sunny" in second.content[0].text


def test_a_forced_tool(client: Anthropic) -> None:
    message = ask(client, "scripted", user("Is it warm in Oslo?"), tools=TOOLS, tool_choice={"type": "any"})
    (use,) = message.content
    assert use.type == "tool_use" and json.dumps(use.input) == '{"city": "Oslo"}'


def test_models(client: Anthropic) -> None:
    listed = {model.id: model for model in client.models.list()}
    assert {"mote", "scripted"} <= listed.keys()
    for model in (*listed.values(), client.models.retrieve("mote")):
        strictly(ModelInfo, model)


def test_counting_tokens(client: Anthropic, model: str) -> None:
    counted = client.messages.count_tokens(model=model, messages=[user(COUNT)])
    answered = ask(client, model, user(COUNT))
    assert counted.input_tokens == answered.usage.input_tokens + (answered.usage.cache_read_input_tokens or 0)


def test_parse(client: Anthropic, model: str) -> None:
    message = client.messages.parse(model=model, max_tokens=300, messages=[user("paint it green")], output_format=Paint)
    assert isinstance(message.parsed_output, Paint)


def test_errors_are_the_sdks_own(client: Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError):
        ask(client, "no-such-model", user("hello"))
    with pytest.raises(anthropic.AuthenticationError):
        ask(client.with_options(api_key="im_no_no"), "mote", user("hello"))
