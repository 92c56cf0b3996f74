"""The AI SDK for JavaScript: text, streams, tools and objects, by three of its providers (ai_sdk.mjs does it)."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import COUNTED, Pool

SCRIPT = Path(__file__).with_name("ai_sdk.mjs")
PROVIDERS = ["openai-compatible", "openai", "anthropic"]


def node(pool: Pool, tmp_path: Path, *arguments: str) -> object:
    """Run the script beside the packages: that is where node looks for them."""
    modules = Path(os.environ["ACCEPT_NODE"])
    script = tmp_path / SCRIPT.name
    shutil.copy(SCRIPT, script)
    (tmp_path / "node_modules").symlink_to(modules)
    environ = os.environ | {"BASE_URL": pool.base_url, "API_KEY": pool.key, "AI_SDK_LOG_WARNINGS": "0"}
    told = subprocess.run(
        ["node", str(script), *arguments], env=environ, capture_output=True, text=True, timeout=120, check=False
    )
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout.strip().splitlines()[-1])


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("what", ["text", "stream"])
def test_text(pool: Pool, tmp_path: Path, provider: str, what: str, model: str) -> None:
    told = node(pool, tmp_path, provider, what, model)
    assert told == COUNTED or (model == "scripted" and told)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("what", ["tool", "tool-stream"])
def test_a_tool(pool: Pool, tmp_path: Path, provider: str, what: str, model: str) -> None:
    assert "sunny" in str(node(pool, tmp_path, provider, what, model))


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("what", ["object", "object-stream", "object-tool"])
def test_an_object_scripted(pool: Pool, tmp_path: Path, provider: str, what: str) -> None:
    told = node(pool, tmp_path, provider, what, "scripted")
    assert isinstance(told, dict) and told["age"] == 25
