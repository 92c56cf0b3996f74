"""Fixtures of real processes only."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import OpenAI

sys.path.insert(0, str(Path(__file__).parent))

from house import House, free_port


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One `iamine up` for every test that breaks nothing."""
    house = House(tmp_path_factory.mktemp("shared"), free_port())
    try:
        yield house.start()
        assert house.stop() == 0
    finally:
        house.end()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """An `iamine up` of its own, to be broken."""
    own = House(tmp_path / "house", free_port())
    try:
        yield own
    finally:
        own.end()


@pytest.fixture
def client(shared: House) -> OpenAI:
    return shared.client()
