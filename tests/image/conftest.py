"""The image that was just built, a pool of real processes on this machine, and folders for the machines."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "acceptance")]

from house import House, free_port
from qemu import Firmware, Machine, flash

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def image() -> Path:
    """The newest image for tests."""
    found = sorted((ROOT / "dist" / "test").glob("*.img"), key=lambda path: path.stat().st_mtime)
    if not found:
        pytest.skip("no image: `just image-test` builds one")
    return found[-1]


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A pool without workers."""
    house = House(tmp_path_factory.mktemp("pool"), free_port(), workers=0)
    try:
        yield house.start()
    finally:
        house.end()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("machine")


@pytest.fixture(scope="module")
def stick(image: Path, folder: Path) -> Path:
    """A freshly flashed stick, used by the tests of a file one after the other."""
    return flash(image, folder / "stick.img")


Starter = Callable[..., Machine]


@pytest.fixture
def machine(folder: Path) -> Iterator[Starter]:
    """Starts machines, pulls their plugs when the test ends and tells what they used."""
    started: list[Machine] = []

    def start(*sticks: Path, firmware: Firmware = "bios", **more: object) -> Machine:
        started.append(Machine(folder=folder / f"vm{len(started)}", sticks=list(sticks), firmware=firmware, **more).start())  # type: ignore[arg-type]
        return started[-1]

    try:
        yield start
    finally:
        for each in started:
            print(f"\n  {each.firmware}: {each.cpu_s():.0f} CPU seconds")
            each.kill()
