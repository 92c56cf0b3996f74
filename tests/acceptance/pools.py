"""A pool with a configuration of its own, and workers that serve mote's file under other names."""

import subprocess
from pathlib import Path

from house import House

MOTE = Path(__file__).parents[2] / "appliance/agent/data/mote-Q8_0.gguf"


def start_pool(house: House, config: str = "") -> House:
    """`iamine pool` without workers."""
    house.data_dir.mkdir(parents=True, exist_ok=True)
    path = house.data_dir / "pool.toml"
    path.write_text(config)
    house.workers = 0
    house.process = house.run(
        "pool", "--port", str(house.port), "--data-dir", str(house.data_dir), "--config", str(path)
    )  # fmt: skip
    house.wait_ready()
    return house


def named_worker(house: House, model: str, *arguments: str) -> subprocess.Popen[bytes]:
    """A worker that serves a copy of mote's file as `model`: behind its end stand a few bytes more, so it has another hash."""
    folder = house.data_dir / "extra" / model
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{model}.gguf"
    if not file.exists():
        file.write_bytes(MOTE.read_bytes() + model.encode().ljust(64, b"\0"))
    (folder / "worker.toml").write_text(
        f'context_tokens = 1024\nexact = true\n[[models]]\npath = "{file}"\nid = "{model}"\ntool_format = "hermes"\n'
    )
    process = house.run("worker", "--pool", house.url, "--data-dir", str(folder), "--name", model, *arguments)
    house.extra.append(process)
    return process
