"""The Responses API and Anthropic's messages against `iamine up` with mote."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from house import House
from openai import OpenAI

COUNT = "count from 3 to 12"
COUNTED = "3 4 5 6 7 8 9 10 11 12"
WEATHER = "What is the weather in Paris?"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
RESULT = "sunny, 21 degrees"


def test_a_response(client: OpenAI) -> None:
    answer = client.responses.create(model="mote", input=COUNT, temperature=0)
    assert (answer.output_text, answer.status) == (COUNTED, "completed")
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens > 10
    short = client.responses.create(model="mote", input=COUNT, temperature=0, max_output_tokens=4)
    assert short.status == "incomplete" and short.usage is not None and short.usage.output_tokens == 4


def test_a_streamed_response(client: OpenAI) -> None:
    with client.responses.stream(model="mote", input=[{"role": "user", "content": COUNT}], temperature=0) as stream:
        events = list(stream)
        final = stream.get_final_response()
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == final.output_text == COUNTED
    assert [event.sequence_number for event in events] == list(range(len(events)))


@pytest.mark.parametrize("stream", [False, True])
def test_a_response_calls_a_tool_and_reads_its_result(client: OpenAI, stream: bool) -> None:
    tools: Any = [{"type": "function", "name": "weather", "parameters": SCHEMA, "strict": True}]
    asked: list[Any] = [{"role": "user", "content": WEATHER}]
    if stream:
        *_, last = client.responses.create(model="mote", input=asked, tools=tools, temperature=0, stream=True)
        assert last.type == "response.completed"
        first = last.response
    else:
        first = client.responses.create(model="mote", input=asked, tools=tools, temperature=0)
    call = first.output[-1]
    assert call.type == "function_call"
    assert (call.name, json.loads(call.arguments)) == ("weather", {"city": "Paris"})
    result = {"type": "function_call_output", "call_id": call.call_id, "output": RESULT}
    back: Any = [*asked, *(item.to_dict() for item in first.output), result]
    second = client.responses.create(model="mote", input=back, tools=tools, temperature=0)
    assert "sunny" in second.output_text


def test_a_response_holds_to_its_format(client: OpenAI) -> None:
    schema = {"type": "object", "properties": {"colour": {"enum": ["red"]}}, "required": ["colour"]}
    text: Any = {"format": {"type": "json_schema", "name": "thing", "schema": schema | {"additionalProperties": False}}}
    answer = client.responses.create(model="mote", input="hello", text=text, temperature=0)
    assert json.loads(answer.output_text) == {"colour": "red"}


def test_input_tokens_are_counted_ahead(client: OpenAI) -> None:
    counted = client.responses.input_tokens.count(model="mote", input=COUNT)
    answered = client.responses.create(model="mote", input=COUNT, temperature=0)
    assert answered.usage is not None and counted.input_tokens == answered.usage.input_tokens > 5


def test_a_responses_errors_are_the_sdks_own(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve("resp_none")
    with pytest.raises(openai.BadRequestError) as long:
        client.responses.create(model="mote", input="word " * 5000, stream=True)
    assert (long.value.code, long.value.param) == ("context_length_exceeded", "input")


@pytest.fixture
def anthropic(shared: House) -> Iterator[httpx.Client]:
    headers = {"x-api-key": shared.key, "anthropic-version": "2023-06-01"}
    with httpx.Client(base_url=shared.url, headers=headers, timeout=120) as http:
        yield http


def ask(http: httpx.Client, *messages: Any, **more: Any) -> dict[str, Any]:
    """A message; streamed ones are put together as Anthropic's SDK does it."""
    body = {"model": "mote", "max_tokens": 100, "temperature": 0, "messages": messages, **more}
    if not more.get("stream"):
        reply = http.post("/v1/messages", json=body)
        assert reply.status_code == 200, reply.text
        whole: dict[str, Any] = reply.json()
        return whole
    message: dict[str, Any] = {}
    with http.stream("POST", "/v1/messages", json=body) as reply:
        lines = [json.loads(line[6:]) for line in reply.iter_lines() if line.startswith("data: ")]
    for event in lines:
        match event["type"]:
            case "message_start":
                message = event["message"]
            case "content_block_start":
                message["content"].append(event["content_block"] | {"partial": ""})
            case "content_block_delta":
                block, delta = message["content"][event["index"]], event["delta"]
                block["partial"] += delta.get("text", "") + delta.get("partial_json", "")
            case "content_block_stop":
                block = message["content"][event["index"]]
                partial = block.pop("partial")
                block |= {"text": partial} if block["type"] == "text" else {"input": json.loads(partial)}
            case "message_delta":
                message |= event["delta"] | {"usage": event["usage"]}
    assert lines[-1]["type"] == "message_stop"
    return message


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


@pytest.mark.parametrize("stream", [False, True])
def test_a_message(anthropic: httpx.Client, stream: bool) -> None:
    told = ask(anthropic, user(COUNT), stream=stream)
    assert told["content"] == [{"type": "text", "text": COUNTED}]
    assert (told["stop_reason"], told["stop_sequence"]) == ("end_turn", None)
    assert told["usage"]["output_tokens"] > 10


@pytest.mark.parametrize("stream", [False, True])
def test_a_message_ends_where_it_should(anthropic: httpx.Client, stream: bool) -> None:
    stopped = ask(anthropic, user(COUNT), stop_sequences=[" 99", "6 7"], stream=stream)
    assert stopped["content"][0]["text"] == COUNTED[: COUNTED.index("6 7")]
    assert (stopped["stop_reason"], stopped["stop_sequence"]) == ("stop_sequence", "6 7")
    short = ask(anthropic, user(COUNT), max_tokens=4, stream=stream)
    assert (short["stop_reason"], short["usage"]["output_tokens"]) == ("max_tokens", 4)


@pytest.mark.parametrize("stream", [False, True])
def test_a_message_uses_a_tool_and_reads_its_result(anthropic: httpx.Client, stream: bool) -> None:
    tools = [{"name": "weather", "description": "The weather in a city.", "input_schema": SCHEMA}]
    first = ask(anthropic, user(WEATHER), tools=tools, stream=stream)
    use = first["content"][-1]
    assert (first["stop_reason"], use["name"], use["input"]) == ("tool_use", "weather", {"city": "Paris"})
    result = {"type": "tool_result", "tool_use_id": use["id"], "content": [{"type": "text", "text": RESULT}]}
    said = {"role": "assistant", "content": first["content"]}
    second = ask(anthropic, user(WEATHER), said, user([result]), tools=tools, stream=stream)
    assert second["stop_reason"] == "end_turn"
    assert "sunny" in second["content"][0]["text"]


def test_a_messages_tokens_are_counted_ahead(anthropic: httpx.Client) -> None:
    tools = [{"name": "weather", "input_schema": SCHEMA}]
    body = {"model": "mote", "messages": [user(WEATHER)], "tools": tools}
    counted = anthropic.post("/v1/messages/count_tokens", json=body).json()["input_tokens"]
    usage = ask(anthropic, user(WEATHER), tools=tools)["usage"]
    assert counted == usage["input_tokens"] + usage["cache_read_input_tokens"] > 10


def test_a_message_holds_to_its_format(anthropic: httpx.Client) -> None:
    schema = {"type": "object", "properties": {"colour": {"enum": ["red"]}}, "required": ["colour"]}
    form = {"type": "json_schema", "schema": schema | {"additionalProperties": False}}
    told = ask(anthropic, user("hello"), output_config={"format": form})
    assert json.loads(told["content"][0]["text"]) == {"colour": "red"}


def test_a_forced_tool_is_used(anthropic: httpx.Client) -> None:
    tools = [{"name": "weather", "input_schema": SCHEMA}]
    told = ask(anthropic, user(WEATHER), tools=tools, tool_choice={"type": "tool", "name": "weather"})
    (use,) = told["content"]
    assert (told["stop_reason"], use["type"], use["name"]) == ("tool_use", "tool_use", "weather")


def test_a_messages_errors_have_anthropics_envelope(anthropic: httpx.Client) -> None:
    body = {"model": "mote", "max_tokens": 9, "messages": [user("word " * 5000)], "stream": True}
    long = anthropic.post("/v1/messages", json=body)
    assert (long.status_code, long.json()["error"]["type"]) == (400, "invalid_request_error")
    wrong = anthropic.post("/v1/messages", json=body, headers={"x-api-key": "im_no_no"})
    assert (wrong.status_code, wrong.json()["error"]["type"]) == (401, "authentication_error")
