"""opencode reads a file by a tool call. Its prompt is far longer than mote's context, so the script drives it."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from conftest import Pool


def settings(pool: Pool, package: str) -> dict[str, object]:
    """opencode.json, as a user writes it."""
    limits = {"name": "scripted", "tool_call": True, "limit": {"context": 131072, "output": 4096}}
    base_url = pool.base_url
    provider = {"npm": package, "options": {"baseURL": base_url, "apiKey": pool.key}, "models": {"scripted": limits}}
    return {"autoupdate": False, "share": "disabled", "model": "iamine/scripted", "provider": {"iamine": provider}}


@pytest.mark.parametrize("package", ["@ai-sdk/openai-compatible", "@ai-sdk/openai", "@ai-sdk/anthropic"])
def test_a_file_is_read_scripted(pool: Pool, home: Path, tmp_path: Path, package: str) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "notes.txt").write_text("The secret word is marmalade.\n")
    (work / "opencode.json").write_text(json.dumps(settings(pool, package)))
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "ANTHROPIC_", "XDG_"))}
    environ |= {"HOME": str(home), "PWD": str(work), "OPENCODE_DISABLE_AUTOUPDATE": "1", "OPENCODE_DISABLE_MODELS_FETCH": "1"}
    environ |= {"OPENCODE_DISABLE_LSP_DOWNLOAD": "1", "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1"}
    command = [f"{os.environ['ACCEPT_NODE']}/.bin/opencode", "run", "Read the file notes.txt and tell me the secret word"]
    told = subprocess.run(
        command, cwd=work, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=180, check=False
    )
    assert told.returncode == 0, told.stderr
    assert "marmalade" in told.stdout, told.stdout + told.stderr
