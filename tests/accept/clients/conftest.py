"""What every client is told: where the pool is, the key, and a folder that is its home.

These files run inside a client's own environment (`just accept`), against a real `iamine up`. A test whose name ends with
[mote] is driven by the micro-model, one with [scripted] by the puppet: rules behind the same wire (tests/accept/puppet).
"""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

COUNT = "count from 3 to 12"
COUNTED = "3 4 5 6 7 8 9 10 11 12"
WEATHER = "What is the weather in Paris?"
SUNNY = "sunny, 21 degrees"


@dataclass(frozen=True)
class Pool:
    """An `iamine up` that runs."""

    url: str
    key: str

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"


@pytest.fixture(scope="session")
def pool() -> Pool:
    return Pool(os.environ["ACCEPT_URL"], os.environ["ACCEPT_KEY"])


@pytest.fixture(params=["mote", "scripted"])
def model(request: pytest.FixtureRequest) -> str:
    """For what both can drive."""
    return str(request.param)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder of a program's own."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder
