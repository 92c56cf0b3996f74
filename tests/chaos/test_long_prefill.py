"""A slow machine that reads a long prompt says so each second: that is no stall, and nobody takes the job from it."""

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from answers import metric
from house import ROOT, House

LEAST_S = 6.0  # twice the patience for a stall
PROMPT_WORDS = 320  # about 930 tokens of the 1 024 that a model like mote holds
AWAKE_S, ASLEEP_S = 0.05, 0.25


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """93 M random weights: a prompt takes seconds."""
    folder = tmp_path / "models"
    folder.mkdir()
    maker = [sys.executable, "bench/engine_model.py", str(folder / "heavy.gguf"), "12", "768"]
    subprocess.run(maker, cwd=ROOT, check=True, capture_output=True, timeout=120)
    return folder


class SlowMachine(threading.Thread):
    """Lets an agent's engine run a sixth of the time only."""

    def __init__(self, agent: psutil.Process) -> None:
        super().__init__()
        self.engines = [child for child in agent.children(recursive=True) if "agent.engine" in " ".join(child.cmdline())]
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.is_set():
            for engine in self.engines:
                engine.suspend()
            time.sleep(ASLEEP_S)
            for engine in self.engines:
                engine.resume()
            self.over.wait(AWAKE_S)


def test_a_long_prompt_on_a_slow_machine_is_no_stall(house: House, model: Path) -> None:
    house.workers = 0
    house.start()
    for name in ("one", "two"):
        folder = house.data_dir / "extra" / name
        folder.mkdir(parents=True)
        (folder / "worker.toml").write_text("threads = 1\nslots = 1\n")
        house.worker(name, "--model", "heavy", "--models-dir", str(model))
    house.wait_ready(workers=2)
    slow = [SlowMachine(house.find("iamine", "worker", name, "heavy")) for name in ("one", "two")]
    for machine in slow:
        assert machine.engines
        machine.start()
    try:
        began = time.monotonic()
        messages: Any = [{"role": "user", "content": " ".join(str(n % 97) for n in range(PROMPT_WORDS))}]
        stream = house.client(timeout=300).chat.completions.create(
            model="heavy", messages=messages, temperature=0, max_tokens=3, stream=True,
            stream_options={"include_usage": True}, extra_body={"ignore_eos": True},
        )  # fmt: skip
        first_s, chunks = 0.0, []
        for chunk in stream:
            first_s = first_s or (time.monotonic() - began if chunk.choices and chunk.choices[0].delta.content else 0.0)
            chunks.append(chunk)
        whole_s = time.monotonic() - began
    finally:
        for machine in slow:
            machine.over.set()
            machine.join()
    usage, origin = chunks[-1].usage, (chunks[-1].model_extra or {})["x_iamine"]
    assert usage is not None
    print(f"{usage.prompt_tokens} prompt tokens read in {first_s or whole_s:.1f} s, {len(origin['segments'])} worker")
    assert whole_s > LEAST_S, "this machine is too fast for this to prove anything: make the model heavier"
    assert usage.completion_tokens == 3 and len(origin["segments"]) == 1
    assert metric(house, "iamine_hub_redispatched") == 0
