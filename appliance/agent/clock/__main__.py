"""`python -m appliance.agent.clock --config FILE --data-dir DIR --report FILE`: ask the pool, set the clock, tell it."""

import argparse
import asyncio
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from appliance.agent.clock.verdict import CODE, Checked, by_pool, unknown
from appliance.agent.config import Options, settings, worker_endpoint
from appliance.agent.errors import AgentError, ConfigError
from appliance.agent.link import Endpoint
from appliance.agent.link.asktime import pool_ahead_s
from iamine import __version__

PINS_NAME = "pool.json"


def main() -> int:
    """Always 0: what could not be done stands in the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--report", type=Path, required=True)
    args = parser.parse_args()
    checked = check(args.config, args.data_dir)
    if checked.move_s:
        time.clock_settime(time.CLOCK_REALTIME, time.time() + checked.move_s)
    sys.stderr.write(f"clock: {checked}\n")
    args.report.write_text(json.dumps({**asdict(checked), "code": CODE, "when": time.time()}) + "\n")
    return 0


def check(config: Path, data_dir: Path) -> Checked:
    """What the pool says."""
    try:
        chosen = settings(Options(config=config), {}, data_dir)
        if not chosen.pool:
            raise ConfigError("no pool is set that could tell the time", hint="let time servers through (UDP port 123)")
        endpoint = Endpoint(
            url=worker_endpoint(chosen.pool),
            pins=data_dir / PINS_NAME,
            pool_key=chosen.pool_key,
            agent=f"iamine/{__version__}",
        )
        return by_pool(asyncio.run(pool_ahead_s(endpoint)))
    except AgentError as error:
        return unknown(error.message, error.hint)


if __name__ == "__main__":
    sys.exit(main())
