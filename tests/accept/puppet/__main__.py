"""`python -m puppet POOL_URL DATA_DIR`: join the pool over the real link, as any worker does, and play the script."""

import asyncio
import sys
import time
from pathlib import Path
from random import SystemRandom

import appliance.agent
from appliance.agent.app import stop_signals
from appliance.agent.config import api_base, worker_endpoint
from appliance.agent.link import Endpoint, Link
from appliance.agent.probe import probe
from appliance.agent.worker import Worker
from iamine.keyfile import load_or_create
from iamine.paths import private_dir
from puppet.engine import Puppet, Script

FILE = Path(appliance.agent.__file__).parent / "data" / "mote-Q8_0.gguf"


async def play(pool: str, data_dir: Path) -> None:
    worker = Worker(hardware=probe().told(), say=lambda line: print(line, file=sys.stderr, flush=True), clock=time.monotonic)
    endpoint = Endpoint(
        url=worker_endpoint(api_base(pool)), pins=data_dir / "pool.json", name="puppet", agent="iamine-puppet/1"
    )
    identity = load_or_create(private_dir(data_dir) / "worker.key")
    link = Link(endpoint=endpoint, identity=identity, owner=worker, random=SystemRandom().random)
    worker.attach(Puppet(Script(FILE), worker.on_frame), link)
    with stop_signals() as stop:
        linked = asyncio.create_task(link.run())
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({linked, stopped}, return_when=asyncio.FIRST_COMPLETED)
        await link.close("the puppet is put away")
        stopped.cancel()
        await linked


asyncio.run(play(sys.argv[1], Path(sys.argv[2])))
