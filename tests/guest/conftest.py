"""One guest with a worker in it, installed as docs/server.md says, and a pool on this machine."""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT / "tests/acceptance"), str(ROOT / "image-build")]

import guest as guests  # noqa: E402
from house import House, free_port  # noqa: E402

EXAMPLE = "http://pool.example:8000"


def blocks(pool: House) -> list[str]:
    """The shell blocks of docs/server.md, in order, with this pool's address."""
    found = re.findall(r"```sh\n(.*?)```", (ROOT / "docs/server.md").read_text(), re.DOTALL)
    return [block.replace(EXAMPLE, f"http://127.0.0.1:{pool.port}") for block in found]


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A pool without workers."""
    house = House(tmp_path_factory.mktemp("pool"), free_port(), workers=0)
    try:
        yield house.start()
    finally:
        house.end()


@pytest.fixture(scope="session")
def guest(tmp_path_factory: pytest.TempPathFactory, pool: House) -> Iterator["guests.Guest"]:
    """Started, installed and joined."""
    if lacks := guests.missing():
        pytest.skip(f"a guest needs {', '.join(lacks)}")
    guest = guests.Guest(tmp_path_factory.mktemp("guest"), guests.wheels(Path(os.environ["IAMINE_LLAMA_WHEEL"])))
    try:
        guest.wait_up()
        for block in blocks(pool)[:2]:
            print(guest.run(block, timeout_s=600))
        guest.until(lambda: pool.joined() == 1, "the worker joined")
        yield guest
    finally:
        guest.end()
