"""Run by `just vulkan-test`, which makes the tree and the agent's environment."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "image-build"), str(Path(__file__).parent), str(ROOT / "tests/acceptance")]

from guest import Guest, tree_of  # noqa: E402
from halved import halved  # noqa: E402
from imagebuild.vulkan import SHADERS_VARIABLE, TREE_VARIABLE, VENV_VARIABLE  # noqa: E402

MOTE = ROOT / "appliance/agent/data/mote-Q8_0.gguf"


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The guest's data: mote as float16 in `models`."""
    folder = tmp_path_factory.mktemp("guest")
    (folder / "models").mkdir()
    (folder / "models/halved.gguf").write_bytes(halved(MOTE.read_bytes()))
    return folder


@pytest.fixture
def guest(folder: Path) -> Iterator[Guest]:
    places = [tree_of(name) for name in (TREE_VARIABLE, VENV_VARIABLE, SHADERS_VARIABLE)]
    guest = Guest(*places, folder=folder)
    yield guest
    guest.end()
