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
from appliance.agent.finding import FOUND_NAME, read_found
from appliance.agent.link import knock
from appliance.agent.link.pins import read_pins
from iamine import __version__
from iamine.identity import fingerprint

PINS_NAME = "pool.json"
ASK_S = 10.0
PATIENCE_S = 900.0
NTP = "let time servers through (UDP port 123)"
KEY = "write the pool's fingerprint as key under [pool] in iamine.toml"


def main() -> int:
    """Always 0: what could not be done stands in the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--report", type=Path, required=True)
    args = parser.parse_args()
    checked = check(args.config, args.data_dir)
    if not checked.by and time.monotonic() < PATIENCE_S:  # since the machine was switched on: a start takes its time
        return 0
    if checked.move_s:
        time.clock_settime(time.CLOCK_REALTIME, time.time() + checked.move_s)
    sys.stderr.write(f"clock: {checked}\n")
    args.report.write_text(json.dumps({**asdict(checked), "code": CODE, "when": time.time()}) + "\n")
    return 0


def check(config: Path, data_dir: Path) -> Checked:
    """What the pool says, when its key is known: a wrong clock makes good certificates look bad, so its key alone counts."""
    try:
        chosen = settings(Options(config=config), {}, data_dir)
        found = read_found(data_dir / FOUND_NAME)
        base, wanted = (chosen.pool, chosen.pool_key) if chosen.pool or found is None else (found.base, found.fingerprint)
        if not base:
            raise ConfigError("no pool is set that could tell the time", hint=NTP)
        url = worker_endpoint(base)
        pinned = read_pins(data_dir / PINS_NAME).get(url)
        wanted = wanted or (fingerprint(pinned) if pinned else "")
        if not wanted:
            raise ConfigError("the pool's key is not known yet, so its time proves nothing", hint=f"{KEY}, or {NTP}")
        greeting = asyncio.run(knock(url, f"iamine/{__version__}", within_s=ASK_S, verified=False))
    except AgentError as error:
        return unknown(error.message, error.hint or NTP)
    if greeting.fingerprint.replace("-", "") != wanted.replace("-", ""):
        return unknown(f"the pool shows the key {greeting.fingerprint}, not {wanted}", KEY)
    return by_pool(greeting.ahead_s)


if __name__ == "__main__":
    sys.exit(main())
