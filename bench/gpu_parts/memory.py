"""What a context takes on the card against what the fit expects: a line of JSON for each shape, slots and context.

    LLAMA_CPP_LIB_PATH=FOLDER python bench/gpu_parts/memory.py MODEL.gguf...

llama.cpp's own account of its buffers, by device; and what NVML says the card has less, which has CUDA's own share in it.
"""

import collections
import json
import re
import sys
from pathlib import Path

import pynvml  # type: ignore[import-untyped]

from appliance.agent import fit
from appliance.agent.engine.llama import Context, ContextOptions, LogRing, Model
from appliance.agent.models import unknown_model
from appliance.agent.plan import ALL_LAYERS
from iamine import manifest

CONTEXTS = ((1, 4096), (8, 4096), (8, 16384), (32, 2048))  # slots, tokens of each
SAID = re.compile(r"(?<!REPACK) (?:model|KV|RS|compute|output) buffer size = +([\d.]+) MiB")
DEVICE = re.compile(r"(\S+)\s+(?:model|KV|RS|compute|output) buffer size = +([\d.]+) MiB")


def used_bytes() -> int:
    """Of the first card, by everybody; 0 where there is none."""
    try:
        pynvml.nvmlInit()
        return int(pynvml.nvmlDeviceGetMemoryInfo(pynvml.nvmlDeviceGetHandleByIndex(0)).used)
    except pynvml.NVMLError:
        return 0


def said(logs: LogRing) -> dict[str, float]:
    """MB by llama.cpp's name of the device."""
    found: collections.Counter[str] = collections.Counter()
    for line in logs.lines:
        if SAID.search(line) and (match := DEVICE.search(line)):
            found[match[1]] += float(match[2]) * 2**20 / 1e6
    return {name: round(size, 1) for name, size in found.items()}


def rows(path: Path, logs: LogRing) -> None:
    file = manifest.File(path=path.name, bytes=path.stat().st_size, sha256="ab" * 32)
    known = unknown_model((file,), manifest.Manifest(version=1), path)
    logs.lines.clear()
    before = used_bytes()
    model = Model(path, exact=False, gpu_layers=ALL_LAYERS)
    weights = said(logs)
    for slots, tokens in CONTEXTS:
        logs.lines.clear()
        options = ContextOptions(
            slots=slots, context_tokens=tokens, batch_tokens=512, threads=1, exact=False, embedding=False
        )  # fmt: skip
        context = Context(model, options)
        context.fill(0, 0, 0, [5] * 256, last_wanted=True)
        context.decode(256)
        allocated = {name: round(weights.get(name, 0) + size, 1) for name, size in (weights | said(logs)).items()}
        allocated |= {name: size for name, size in weights.items() if name not in said(logs)}
        expected = fit.allocated_bytes(known, slots, tokens) / 1e6
        told = {"file": path.stem, "slots": slots, "context": tokens, "expected_mb": round(expected, 1), "mb": allocated}
        on_card = round((used_bytes() - before) / 1e6, 1)
        print(json.dumps({**told, "all_mb": round(sum(allocated.values()), 1), "nvml_mb": on_card}), flush=True)
        context.close()


def main(arguments: list[str]) -> None:
    logs = LogRing()
    logs.lines = collections.deque(maxlen=10_000)
    logs.install()
    for argument in arguments:
        rows(Path(argument), logs)


if __name__ == "__main__":
    main(sys.argv[1:])
