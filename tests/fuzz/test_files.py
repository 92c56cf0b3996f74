"""Files and texts made wrong on purpose, by thousands: whoever reads them refuses them by name, soon, and in little memory."""

import json
import os
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from damage import NASTY_NUMBERS, damaged, spoilt
from targets import SCRATCH, TARGETS

from iamine import manifest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
COUNT = int(os.environ.get("IAMINE_FUZZ_FILES", "200"))
SEED = int(os.environ.get("IAMINE_FUZZ_SEED", "1"))
MOST_MB = 64
MOTE = (ROOT / "appliance/agent/data/mote-Q8_0.gguf").read_bytes()[:60_000]
BODIES = [body for _, body in json.loads((HERE / "requests.json").read_text())["bodies"]]
NUMBERS: tuple[tuple[str, float], ...] = (("<I", 2**32 - 1), ("<Q", 2**63), ("<Q", 2**20), ("<f", float("inf")))
WORKER = """pool = "http://pool:8000"
pool_key = "abcd"
name = "box"
max_tps = 5.0
slots = 2
[fetch]
folders = ["a"]
mirrors = ["http://x:1"]
hub = "https://hub"
[schedule]
hours = ["22:00-07:00", "sat 00:00-24:00"]
[[models]]
path = "m.gguf"
id = "m"
"""
POOL = """host = "127.0.0.1"
port = 8000
max_body_bytes = 1000
quality_floor = "small"
think_tiers = ["micro"]
[aliases]
gpt-4o = "iamine-large"
[upstream]
url = "https://x/v1"
model = "m"
"""
SHORT_MANIFEST = manifest.bundled_text()[:6000]


def toml(draw: Random, text: str) -> bytes:
    """The text with values exchanged, lines moved, or brackets without end."""
    lines = text.splitlines()
    for _ in range(draw.randint(1, 3)):
        at = draw.randrange(len(lines))
        key = lines[at].partition("=")[0]
        number = str(draw.choice(NASTY_NUMBERS))
        lines[at] = draw.choice(
            (
                f"{key} = {number}", f'{key} = "\\u0000\\u001b[2J"', f'{key} = "http://["', f"{key} = " + "[" * 3000,
                f"{key} = {{a = {{b = 1}}}}", f"{key} = 1979-05-27", f"{key} = inf", lines[at] * 2, f'{key} = ["x", 1]',
                f'{key} = "http://x:99999999999"', "a." * 50 + "b = 1", "[" + key * 50, f'{key} = ""',
            )
        )  # fmt: skip
    data = "\n".join(lines).encode()
    return damaged(draw, data) if draw.random() < 0.3 else data


def header(draw: Random) -> bytes:
    """mote's header with a number, a type or a length replaced."""
    data = bytearray(MOTE)
    for _ in range(draw.randint(1, 3)):
        at = draw.choice((8, 16, draw.randrange(24, 1500), draw.randrange(24, len(data) - 8)))
        form, number = draw.choice(
            (("<I", 2**32 - 1), ("<I", draw.randrange(14)), ("<Q", 2**63), ("<Q", 2**20), ("<f", float("inf")))
        )
        struct.pack_into(form, data, at, number)
    return bytes(data) if draw.random() < 0.8 else damaged(draw, bytes(data))


MAKERS: dict[str, Callable[[Random], bytes]] = {
    "gguf": header,
    "worker_toml": lambda draw: toml(draw, WORKER),
    "pool_toml": lambda draw: toml(draw, POOL),
    "stick_toml": lambda draw: toml(draw, (ROOT / "image-build/boot/iamine.toml").read_text()),
    "manifest_toml": lambda draw: toml(draw, SHORT_MANIFEST),
    "wire": lambda draw: spoilt(draw, draw.choice(BODIES)),
    "requests": lambda draw: spoilt(draw, draw.choice(BODIES)),
}


@pytest.mark.parametrize("name", TARGETS)
def test_what_strangers_wrote_is_read_or_refused(name: str) -> None:
    draw, count = Random(SEED), COUNT if name != "manifest_toml" else COUNT // 6
    tracemalloc.start()
    try:
        for number in range(count):
            data = MAKERS[name](draw)
            try:
                TARGETS[name](data)
            except Exception as error:
                raise AssertionError(f"{name}, seed {SEED}, number {number}: {error!r} for {data[:300]!r}") from error
        assert tracemalloc.get_traced_memory()[1] < MOST_MB << 20
    finally:
        tracemalloc.stop()
        SCRATCH.unlink(missing_ok=True)
