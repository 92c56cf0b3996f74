"""What the fit expects a model to take is what llama.cpp allocates; and llama.cpp knows what the manifest names."""

import collections
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.agent import fit
from appliance.agent.engine.llama import Context, ContextOptions, LlamaError, LogRing, Model
from appliance.agent.gguf import read_shape
from appliance.agent.models import unknown_model
from iamine import manifest

ROOT = Path(__file__).parents[3]
MOTE = ROOT / "appliance/agent/data/mote-Q8_0.gguf"
SHAPES = {  # arguments of bench/engine_model.py: layers, width, type, words, heads of keys and values, experts
    "as many heads of keys": ("6", "384", "Q4_0"),
    "grouped heads": ("8", "512", "Q8_0", "1024", "2"),
    "a wide vocabulary": ("4", "512", "Q8_0", "151936", "2"),
    "experts": ("4", "512", "Q4_0", "1024", "2", "4"),
}
CONTEXTS = ((1, 4096), (1, 16384), (4, 2048), (8, 8192))  # slots, tokens of each
# Repacked weights are left out: they are the same ones again, and the mapped pages behind them can be dropped
SAID = re.compile(r"(?<!REPACK) (?:model|KV|RS|compute|output) buffer size = +([\d.]+) MiB")
# The mapping is cut to the weights used from it: where the last ones were repacked, their memory is the repacked one's
WEIGHTS = re.compile(r"file size += ([\d.]+) MiB")
TOLERANCE = 0.08


@pytest.fixture(scope="module")
def logs() -> LogRing:
    ring = LogRing()
    ring.lines = collections.deque(maxlen=10_000)
    ring.install()
    return ring


def allocated(path: Path, *, exact: bool, logs: LogRing) -> dict[tuple[int, int], float]:
    """Bytes that llama.cpp says it allocated for the weights and a context, by (slots, tokens)."""
    logs.lines.clear()
    model = Model(path, exact=exact)
    weights = max(said(logs), sizes(logs, WEIGHTS))
    found = {}
    for slots, tokens in CONTEXTS:
        logs.lines.clear()
        options = ContextOptions(
            slots=slots, context_tokens=tokens, batch_tokens=512, threads=1, exact=exact, embedding=False
        )  # fmt: skip
        context = Context(model, options)
        found[slots, tokens] = weights + said(logs)
        context.close()
    return found


def said(logs: LogRing) -> float:
    return sizes(logs, SAID)


def sizes(logs: LogRing, pattern: re.Pattern[str]) -> float:
    found = [float(match[1]) for line in logs.lines if (match := pattern.search(line))]
    assert found, "llama.cpp words its log differently now"
    return sum(found) * 2**20


def check(model: manifest.Model, found: dict[tuple[int, int], float]) -> None:
    expected = {key: fit.allocated_bytes(model, *key) for key in found}
    assert expected == pytest.approx(found, rel=TOLERANCE)


def test_the_bundled_model_takes_what_the_manifest_says(logs: LogRing) -> None:
    mote = manifest.load().find("mote")
    assert mote is not None
    check(mote, allocated(MOTE, exact=True, logs=logs))


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_an_unknown_file_takes_what_its_header_says(shape: tuple[str, ...], logs: LogRing, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    command = [sys.executable, str(ROOT / "bench/engine_model.py"), str(path), *shape]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    file = manifest.File(path=path.name, bytes=path.stat().st_size, sha256="ab" * 32)
    check(unknown_model((file,), manifest.Manifest(version=1), path), allocated(path, exact=False, logs=logs))


def test_llama_cpp_knows_every_architecture_of_the_manifest(logs: LogRing, tmp_path: Path) -> None:
    named = {model.architecture for model in manifest.load().model}
    unknown = [name for name in sorted(named) if not knows(name, logs, tmp_path)]
    assert unknown == []
    assert not knows("no-such-architecture", logs, tmp_path), "the question itself does not work any more"


def knows(architecture: str, logs: LogRing, folder: Path) -> bool:
    """Whether the library gets past the name in a file that holds nothing else."""
    text = [struct.pack("<Q", len(each)) + each.encode() for each in ("general.architecture", architecture)]
    path = folder / "named.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text[0] + struct.pack("<I", 8) + text[1] + bytes(64))
    logs.lines.clear()
    with pytest.raises(LlamaError):
        Model(path, exact=True, vocabulary_only=True)
    assert any("error loading model" in line for line in logs.lines)
    return not any("unknown model architecture" in line for line in logs.lines)


def test_the_bundled_file_is_of_the_architecture_that_the_manifest_names() -> None:
    mote, shape = manifest.load().model[0], read_shape(MOTE)
    assert (shape.architecture, shape.context_tokens) == (mote.architecture, mote.context)
    assert shape.kv_bytes_per_token == mote.kv_bytes_per_token
