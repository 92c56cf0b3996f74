"""Real agents follow what the pool lacks: one of two moves between answers, and the request that waited is answered."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from house import ROOT, House, wait_for
from pools import MOTE, named_worker, start_pool
from test_moving import COUNTED, counting

from iamine.manifest import bundled_text
from iamine.release import signed

CONFIG = "substitute = false\nthink_tiers = []\nplain_deadline_s = 120\n"
SECOND = MOTE.read_bytes() + b"second".ljust(64, b"\0")
ENTRY = """
[[model]]
id = "second"
name = "a model that a release knows"
tier = "micro"
license = "Apache-2.0"
parameters = 1_300_000
context = 1024
architecture = "llama"
template = "chatml"
tool_format = "hermes"
repo = "nobody/second"
revision = "{revision}"
kv_bytes_per_token = 2560
[[model.file]]
path = "second.gguf"
bytes = {size}
sha256 = "{digest}"
"""


@dataclass
class Release:
    """A manifest that knows `second`, signed by a key that is thrown away."""

    folder: Path

    def manifest(self) -> dict[str, str]:
        entry = ENTRY.format(revision="ab" * 20, size=len(SECOND), digest=hashlib.sha256(SECOND).hexdigest())
        text = bundled_text().replace("serial = ", "serial = 9", 1) + entry
        return {"text": text, "signature": signed(text, self.folder / "release.key")}

    def agent(self, house: House, name: str) -> subprocess.Popen[bytes]:
        """An agent with mote and `second` at hand; it chooses by itself."""
        folder = house.data_dir / "extra" / name
        (folder / "models").mkdir(parents=True, exist_ok=True)
        (folder / "models" / "second.gguf").write_bytes(SECOND)
        told = self.manifest()
        (folder / "manifest.json").write_text(json.dumps(told))
        key = told["signature"].split()[0]
        launch = [sys.executable, str(ROOT / "tests/acceptance/signed.py"), key, "worker", "--auto", "--plain"]
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("IAMINE_", "OPENAI_"))}
        with (folder / "worker.out").open("ab") as out:
            process = subprocess.Popen(
                [*launch, "--pool", house.url, "--data-dir", str(folder), "--name", name, "--max-tps", "20"],
                stdout=out, stderr=out, cwd=ROOT, env={**environ, "PYTHONPATH": str(ROOT)},
            )  # fmt: skip
        house.extra.append(process)
        return process


def workers_by_model(house: House) -> dict[str, int]:
    return {model["id"]: model["workers"] for model in house.status()["models"]}


def offered(house: House) -> dict[str, int]:
    told = httpx.get(f"{house.url}/v1/demand", headers=house.headers).json()
    return {one["model"]: one["workers"] for one in told["models"]}


def said(house: House, name: str) -> str:
    return (house.data_dir / "extra" / name / "worker.out").read_text()


def asked(house: House, model: str) -> dict[str, Any]:
    body = {"model": model, "messages": [{"role": "user", "content": "count from 3 to 12"}], "temperature": 0}
    answer: dict[str, Any] = httpx.post(
        f"{house.url}/v1/chat/completions", json=body, headers=house.headers, timeout=120
    ).json()
    return answer


def test_one_of_two_agents_moves_to_what_somebody_waits_for(house: House, tmp_path: Path) -> None:
    start_pool(house, CONFIG)
    release = Release(tmp_path)
    first = named_worker(house, "second")
    wait_for(lambda: workers_by_model(house).get("second"), 90, "the model is known")
    first.kill()
    first.wait()
    for name in ("left", "right"):
        release.agent(house, name)
    wait_for(lambda: workers_by_model(house).get("mote") == 2, 120, "both serve mote")
    running = [counting(house, "mote") for _ in range(2)]
    wait_for(lambda: all(one.text for one in running), 60, "two answers under way")
    answer = asked(house, "second")
    assert answer["model"] == "second" and answer["choices"][0]["message"]["content"] == "3 4 5 6 7 8 9 10 11 12"
    for one in running:
        one.join(90)
        assert one.text == COUNTED and one.lines[-1] == "data: [DONE]"
        assert len(one.chunks[-1]["x_iamine"]["segments"]) == 1, "nobody moved in the middle of an answer"
    wait_for(lambda: workers_by_model(house) == {"second": 1, "mote": 1}, 30, "one of them moved")
    (mover,) = [name for name in ("left", "right") if "changing the model: second" in said(house, name)]
    assert "moving when the running answers have ended: second: the pool lacks" in said(house, mover)
    wait_for(lambda: offered(house) == {"second": 1, "mote": 1}, 30, "the figures tell it, too")
    assert asked(house, "mote")["model"] == "mote"
