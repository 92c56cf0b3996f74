"""aider edits a file. Its prompt alone is longer than mote's context, so the script drives it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Pool

OPTIONS = (
    *("--model", "openai/scripted", "--model-metadata-file", "metadata.json", "--no-show-model-warnings", "--no-gitignore"),
    *("--no-check-update", "--no-show-release-notes", "--no-analytics", "--no-pretty", "--yes-always", "--no-auto-commits"),
    *("--map-tokens", "0", "--edit-format"),
)


@pytest.mark.parametrize("stream", ["--stream", "--no-stream"])
@pytest.mark.parametrize("form", ["diff"])
def test_a_file_is_edited_scripted(pool: Pool, home: Path, tmp_path: Path, form: str, stream: str) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "greeting.py").write_text('def greet():\n    return "hello"\n')
    (work / "metadata.json").write_text(json.dumps({"openai/scripted": {"max_input_tokens": 131072, "mode": "chat"}}))
    cache = home / ".aider" / "caches"  # a list of prices that it would fetch
    cache.mkdir(parents=True)
    (cache / "model_prices_and_context_window.json").write_text("{}")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "begin"]):
        subprocess.run([*git, *command], cwd=work, check=True, capture_output=True)
    environ = os.environ | {"HOME": str(home), "OPENAI_API_BASE": pool.base_url, "OPENAI_API_KEY": pool.key}
    environ |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    asked = ["--message", 'Replace "hello" by "goodbye" in greeting.py', "greeting.py"]
    command = [str(Path(sys.executable).with_name("aider")), *OPTIONS, form, stream, *asked]
    told = subprocess.run(
        command, cwd=work, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=180, check=False
    )
    assert told.returncode == 0, told.stdout + told.stderr
    assert (work / "greeting.py").read_text() == 'def greet():\n    return "goodbye"\n', told.stdout + told.stderr
