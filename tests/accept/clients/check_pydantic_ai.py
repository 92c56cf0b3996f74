"""`pydantic-ai`: an agent with a tool and a typed result, by chat completions, by responses and by Anthropic's messages."""

import pytest
from conftest import COUNT, COUNTED, WEATHER, Pool
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models import Model
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider


class Person(BaseModel):
    name: str
    age: int


def model_of(pool: Pool, dialect: str, name: str) -> Model:
    if dialect == "messages":
        return AnthropicModel(name, provider=AnthropicProvider(base_url=pool.url, api_key=pool.key))
    provider = OpenAIProvider(base_url=pool.base_url, api_key=pool.key)
    return OpenAIChatModel(name, provider=provider) if dialect == "chat" else OpenAIResponsesModel(name, provider=provider)


@pytest.mark.parametrize("dialect", ["chat", "responses", "messages"])
def test_text(pool: Pool, dialect: str, model: str) -> None:
    told = Agent(model_of(pool, dialect, model)).run_sync(COUNT, model_settings={"temperature": 0})
    assert COUNTED in told.output or model == "scripted"
    assert told.usage.output_tokens > 10


@pytest.mark.parametrize("dialect", ["chat", "responses", "messages"])
def test_an_agent_uses_a_tool(pool: Pool, dialect: str, model: str) -> None:
    agent = Agent(model_of(pool, dialect, model))
    asked: list[str] = []

    @agent.tool_plain
    def weather(city: str) -> str:
        """The weather in a city."""
        asked.append(city)
        return "sunny, 21 degrees"

    told = agent.run_sync(WEATHER, model_settings={"temperature": 0})
    assert asked == ["Paris"] and "sunny" in told.output


@pytest.mark.parametrize("dialect", ["chat", "responses", "messages"])
async def test_a_stream(pool: Pool, dialect: str, model: str) -> None:
    async with Agent(model_of(pool, dialect, model)).run_stream(COUNT, model_settings={"temperature": 0}) as told:
        texts = [text async for text in told.stream_text(delta=True)]
    assert COUNTED in "".join(texts) or model == "scripted"


@pytest.mark.parametrize("dialect", ["chat", "responses", "messages"])
def test_a_typed_result_by_tool_scripted(pool: Pool, dialect: str) -> None:
    agent = Agent(model_of(pool, dialect, "scripted"), output_type=Person)
    assert agent.run_sync("Jason is 25 years old").output.age == 25


@pytest.mark.parametrize("dialect", ["chat", "responses"])
def test_a_typed_result_by_schema_scripted(pool: Pool, dialect: str) -> None:
    agent = Agent(model_of(pool, dialect, "scripted"), output_type=NativeOutput(Person))
    assert agent.run_sync("Jason is 25 years old").output.age == 25


@pytest.mark.parametrize("dialect", ["chat", "responses"])
@pytest.mark.parametrize("asked", ["Jason is 25 years old", "Use the birthday tool: how old is Jason, 25?"])
def test_a_tool_beside_a_schema_scripted(pool: Pool, dialect: str, asked: str) -> None:
    agent = Agent(model_of(pool, dialect, "scripted"), output_type=NativeOutput(Person))
    used: list[str] = []

    @agent.tool_plain
    def birthday(name: str) -> str:
        """When somebody was born."""
        used.append(name)
        return "in 2001"

    assert agent.run_sync(asked).output.age == 25
    assert bool(used) == ("birthday" in asked)
