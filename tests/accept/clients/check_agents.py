"""`openai-agents`: a run with a function tool, through /v1/responses and through chat completions."""

import pytest
from agents import (
    Agent,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from conftest import WEATHER, Pool
from openai import AsyncOpenAI

set_tracing_disabled(True)


@function_tool
def weather(city: str) -> str:
    """The weather in a city."""
    return "sunny, 21 degrees"


def agent(client: AsyncOpenAI, dialect: str, model: str) -> "Agent[None]":
    kind = OpenAIResponsesModel if dialect == "responses" else OpenAIChatCompletionsModel
    settings = ModelSettings(temperature=0)
    return Agent(name="weatherman", model=kind(model, openai_client=client), tools=[weather], model_settings=settings)


@pytest.mark.parametrize("dialect", ["responses", "chat"])
async def test_a_run_with_a_tool(pool: Pool, dialect: str, model: str) -> None:
    async with AsyncOpenAI(base_url=pool.base_url, api_key=pool.key, max_retries=0) as client:
        told = await Runner.run(agent(client, dialect, model), WEATHER)
    assert "sunny" in told.final_output


@pytest.mark.parametrize("dialect", ["responses", "chat"])
async def test_a_streamed_run(pool: Pool, dialect: str, model: str) -> None:
    async with AsyncOpenAI(base_url=pool.base_url, api_key=pool.key, max_retries=0) as client:
        run = Runner.run_streamed(agent(client, dialect, model), WEATHER)
        kinds = [event.type async for event in run.stream_events()]
    assert "sunny" in run.final_output and "run_item_stream_event" in kinds
