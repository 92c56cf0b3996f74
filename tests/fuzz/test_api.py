"""The pool's own description, tried on the pool: no fault, no answer that it does not describe (schemathesis).

Left out is one check: that what the description allows is accepted. It cannot say all that a request must be
(a tool_choice names one of the tools, a tool's message follows its call); such requests are refused by a 400 that tells why.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from house import House
from pools import start_pool

ROOT = Path(__file__).parents[2]
EXAMPLES = int(os.environ.get("IAMINE_FUZZ_EXAMPLES", "8"))  # of each operation, beside the boundaries of each parameter
SEED = os.environ.get("IAMINE_FUZZ_SEED", "1")
LATE_S = 30.0
MODELS = ["mote", "iamine-auto", "iamine-micro", "gpt-4o-mini", "no-such-model"]
REQUESTS = ("ChatRequest", "CompletionRequest", "ResponsesRequest", "MessageRequest")
CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "negative_data_rejection", "missing_required_header", "unsupported_method",
    "allow_header_conformance", "use_after_free",
)  # fmt: skip
CONFIG = (
    "per_key_concurrency = 1000\nrequests_per_minute = 100000000\ntokens_per_minute = 1000000000\n"
    "plain_deadline_s = 5.0\nstream_deadline_s = 5.0\n"
)
TELLS = re.compile(r"Traceback|ERROR|CRITICAL|never retrieved|Exception")


def nullable(schema: Any) -> None:
    """What the description's introduction says of requests: null counts as absent, at any depth."""
    parts = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    for part in list(parts):
        nullable(part)
    if isinstance(schema, dict) and isinstance(schema.get("properties"), dict):
        for key in schema["properties"].keys() - set(schema.get("required", ())):
            schema["properties"][key] = {"anyOf": [schema["properties"][key], {"type": "null"}]}
    if isinstance(schema, dict) and isinstance(schema.get("additionalProperties"), dict):
        schema["additionalProperties"] = {"anyOf": [schema["additionalProperties"], {"type": "null"}]}


def tried(folder: Path) -> Path:
    """The description, with models that there are, and few tokens: else most requests would end at the first check."""
    told: dict[str, Any] = json.loads((ROOT / "pool/api/openapi.json").read_text())
    for name in REQUESTS:
        properties = told["components"]["schemas"][name]["properties"]
        properties["model"] = {"type": "string", "enum": MODELS}
        for key in ("max_tokens", "max_completion_tokens", "max_output_tokens"):
            if key in properties:
                properties[key] = properties[key] | {"maximum": 12}
        nullable(told["components"]["schemas"][name])
    nullable(told["components"]["schemas"]["Message"])
    path = folder / "openapi.json"
    path.write_text(json.dumps(told))
    return path


def run(house: House, document: Path, phases: str) -> "subprocess.CompletedProcess[str]":
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run", str(document), "--url", house.url, "--phases", phases,
        "-H", f"Authorization: Bearer {house.key}", "--checks", ",".join(CHECKS), "-n", str(EXAMPLES), "--seed", SEED,
        "--request-timeout", str(LATE_S), "--suppress-health-check", "all", "--generation-database", "none",
        "--continue-on-failure", "--warnings", "off", "--no-color",
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, cwd=document.parent, check=False)


@pytest.fixture
def served(house: House) -> House:
    start_pool(house, CONFIG)
    house.worker("mote")
    house.wait_ready(workers=1)
    return house


def test_the_pool_answers_everything_as_its_description_says(served: House, tmp_path: Path) -> None:
    for phases in ("coverage", "fuzzing"):
        done = run(served, tried(tmp_path), phases)
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        print("\n" + "\n".join(line for line in done.stdout.splitlines() if "generated" in line or "Tested" in line))
    said = (served.data_dir / "pool.out").read_text(errors="replace")
    assert [line for line in said.splitlines() if TELLS.search(line)] == []
    assert (
        served.client()
        .chat.completions.create(model="mote", messages=[{"role": "user", "content": "hello"}], max_tokens=8)
        .choices
    )
