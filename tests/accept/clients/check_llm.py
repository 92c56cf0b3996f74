"""`llm`, the command: a prompt streamed and not, a tool in Python, a schema."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import COUNT, COUNTED, WEATHER, Pool

MODELS = """\
- model_id: pool-{model}
  model_name: {model}
  api_base: {base_url}
  api_key_name: iamine
  supports_tools: true
  supports_schema: true
"""
WEATHERMAN = 'def weather(city: str) -> str:\n    "The weather in a city."\n    return "sunny, 21 degrees"\n'


def llm(pool: Pool, home: Path, model: str, *arguments: str) -> str:
    (home / "extra-openai-models.yaml").write_text(MODELS.format(model=model, base_url=pool.base_url))
    (home / "keys.json").write_text(json.dumps({"iamine": pool.key}))
    command = [str(Path(sys.executable).with_name("llm")), "-m", f"pool-{model}", "-o", "temperature", "0", *arguments]
    environ = {**os.environ, "LLM_USER_PATH": str(home), "HOME": str(home)}
    told = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert told.returncode == 0, told.stderr
    return told.stdout.strip()


@pytest.mark.parametrize("stream", ["--stream", "--no-stream"])
def test_a_prompt(pool: Pool, home: Path, model: str, stream: str) -> None:
    told = llm(pool, home, model, "--no-log", *(() if stream == "--stream" else (stream,)), COUNT)
    assert told == COUNTED or (model == "scripted" and told)


def test_a_tool(pool: Pool, home: Path, model: str) -> None:
    assert "sunny" in llm(pool, home, model, "--functions", WEATHERMAN, WEATHER)


def test_a_schema_scripted(pool: Pool, home: Path) -> None:
    assert json.loads(llm(pool, home, "scripted", "--schema", "name, age int", "Jason is 25 years old"))["age"] == 25
