"""A tiny pool that is announced: SEED of its key, PORT, NAME, and the seed of the key that it announces (default: its own)."""

import asyncio
import sys

from iamine.identity import Identity
from pool.beacon import beacon
from tests.integration.agent.tiny_pool import TinyPool, listen


async def main(seed: int, port: int, name: str, claimed: int) -> None:
    key = Identity.from_seed(bytes([claimed]) * 32).public_key
    announcement = beacon(name=name, host="0.0.0.0", port=port, public_key=key, version="1.2.3")
    assert announcement is not None
    async with TinyPool(listen, seed=seed, host="0.0.0.0", port=port), announcement:
        await asyncio.Event().wait()


if __name__ == "__main__":
    seed, port, name, *claimed = sys.argv[1:]
    asyncio.run(main(int(seed), int(port), name, int((claimed or [seed])[0])))
