"""A worker with a stick: it serves the bundled model, fetches a better one and moves to it. Real engines, real files."""

import asyncio
import hashlib
import subprocess
import sys
from pathlib import Path

from fakes.machines import made

from appliance.agent import fetching
from appliance.agent.config import Options, settings
from appliance.agent.fetch import Folder, PlainProgress, Rung, Shelf
from appliance.agent.models import Catalog, scan
from appliance.agent.plan import plan
from appliance.agent.runner import Runner
from appliance.agent.upgrade import Upgrade
from iamine import manifest
from iamine.ids import ModelId
from iamine.wire.messages import ModelOffer

ROOT = Path(__file__).parents[3]


def better(stick: Path) -> manifest.Model:
    """A model of 4 MB on the stick."""
    stick.mkdir()
    path = stick / "better.gguf"
    subprocess.run(
        [sys.executable, str(ROOT / "bench/engine_model.py"), str(path), "4", "256", "Q8_0"], check=True, capture_output=True
    )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return manifest.Model(
        id=ModelId("better"), name="b", tier="micro", license="MIT", parameters=4_000_000, context=1024,
        kv_bytes_per_token=4096, file=(manifest.File(path=path.name, bytes=path.stat().st_size, sha256=digest),),
    )  # fmt: skip


async def test_a_better_model_takes_over(tmp_path: Path) -> None:
    model = better(tmp_path / "stick")
    known = manifest.Manifest(version=1, model=(*manifest.load().model[:1], model))
    chosen, machine = settings(Options(), {}, tmp_path), made(4 * 10**9)
    offered: list[tuple[ModelOffer, ...]] = []
    lines: list[str] = []
    runner = Runner(on_frame=lambda frame: None, on_offers=offered.append, quarantine_dir=tmp_path / "quarantine")

    def look() -> Catalog:
        return scan(known, data_dir=chosen.data_dir, models_dir=chosen.models_dir)

    first = plan(chosen, machine, look().files)
    progress = PlainProgress(lines.append, lambda: 0.0)
    upgrade = Upgrade(
        engines=runner,
        loaded=first.specs,
        fetch=lambda stopped: fetching.run(
            lambda bytes_per_s: (Rung(model=model, reason="better"),),
            lambda: (Folder(path=tmp_path / "stick"),),
            Shelf(folder=chosen.models_dir),
            progress,
        ),
        scan=look,
        choose=lambda catalog: plan(chosen, machine, catalog.files),
        say=lines.append,
    )
    try:
        for spec in first.specs:
            await runner.load(spec)
        await asyncio.wait_for(upgrade.run(), 120)
        told = [[offer.model for offer in each] for each in offered]
        assert (told[0], told[-1]) == (["mote"], ["better"])
        assert all(len(each) < 2 for each in told), "both at once may be more than the memory holds"
        assert any(line.startswith("changing the model: better: needs") for line in lines), lines
        assert (chosen.models_dir / model.file_sha256 / "better.gguf").exists()
    finally:
        await runner.close()
