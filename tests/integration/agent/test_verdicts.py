"""A worker measures its model once: the next start tells what is remembered, and a verdict against a file is heeded."""

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path

from iamine.manifest import load
from iamine.wire.messages import ModelOffer
from tests.integration.agent.test_worker_process import worker
from tests.integration.agent.tiny_pool import TinyPool, listen

ROOT = Path(__file__).parents[3]


async def offered(folder: Path, *more: str) -> tuple[ModelOffer, str]:
    """The model that a worker offers when it comes up, and what it said by then."""
    async with TinyPool(listen) as pool, worker(pool, folder, *more):
        await asyncio.wait_for(pool.greeted.wait(), 60)
    return pool.hellos[0].models[0], (folder / "log").read_text()


async def test_the_second_start_offers_what_the_first_measured(tmp_path: Path) -> None:
    first, said = await offered(tmp_path)
    assert "measured mote: reads" in said
    kept = json.loads((tmp_path / "verdicts.json").read_text())["verdicts"][0]["verdict"]
    assert 0 < kept["prefill_tokens"] <= int(0.9 * kept["context_tokens"])
    assert kept["decode_all_tps"] > 0
    assert (first.prefill_tps, first.decode_tps) == (kept["prefill_tps"], kept["decode_tps"])
    capped, said = await offered(tmp_path, "--max-tps", "5")
    assert "measured mote" not in said
    assert "stepping down" not in said
    assert (capped.prefill_tps, capped.decode_tps) == (kept["prefill_tps"], 5.0)


async def test_a_larger_model_that_cannot_run_gives_way_once_and_for_all(tmp_path: Path) -> None:
    """Its file looks sound but is cut off: llama.cpp refuses it, as it does when the memory does not suffice."""
    (tmp_path / "models").mkdir()
    whole, cut = tmp_path / "whole", tmp_path / "models/broken.gguf"
    subprocess.run(
        [sys.executable, str(ROOT / "bench/engine_model.py"), str(whole), "4", "256", "Q8_0"], check=True, capture_output=True
    )
    shutil.copyfile(whole, cut)
    with cut.open("r+b") as file:
        file.truncate(cut.stat().st_size * 3 // 4)
    mote = load().find("mote")
    assert mote
    first, said = await offered(tmp_path)
    assert "broken did not load here" in said
    assert first.file_sha256 == mote.file_sha256
    second, said = await offered(tmp_path)
    assert second.file_sha256 == mote.file_sha256
    assert "chosen mote" in said
    assert "using mote instead" in said
    assert "stepping down" not in said
