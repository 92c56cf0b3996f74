"""A stand-in for the pool: owns the embedded PostgreSQL of a data folder, says where it is, and waits.

Prints one JSON line {dsn, postgres_pid}; ends cleanly at the end of its input.
"""

import asyncio
import json
import logging
import sys
from pathlib import Path

from iamine.errors import IamineError
from pool.store.embedded import EmbeddedPostgres


async def main(data_dir: Path) -> int:
    postgres = EmbeddedPostgres(data_dir)
    try:
        dsn = await postgres.start()
    except IamineError as error:
        print(json.dumps({"error": error.message, "hint": error.hint}), flush=True)
        return 1
    print(json.dumps({"dsn": dsn, "postgres_pid": postgres.pid}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await postgres.close()
    return 0


logging.basicConfig(level=logging.INFO)
sys.exit(asyncio.run(main(Path(sys.argv[1]))))
