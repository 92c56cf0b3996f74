"""Houses of real processes, as the acceptance tests have them, and this folder's own modules."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "acceptance"))
sys.path.insert(0, str(Path(__file__).parents[1] / "integration" / "agent"))

from house import House, free_port


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Processes of its own, to be tormented."""
    own = House(tmp_path / "house", free_port())
    try:
        yield own
    finally:
        own.end()
