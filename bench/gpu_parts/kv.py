"""How a context should keep keys and values: one memory for all sequences or one each, halves or Q8_0. A line for each.

    LLAMA_CPP_LIB_PATH=FOLDER python bench/gpu_parts/kv.py MODEL.gguf SEQUENCES TOKENS [LAYERS_ON_THE_CARD] [THREADS]

Every sequence holds so many tokens; then all of them write together. Best of three turns, the ways taking turns.
"""

import itertools
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import llama_cpp

from appliance.agent.engine import llama

WAYS = tuple(itertools.product((True, False), ("f16", "q8_0")))  # unified, type
STEPS, TURNS, CHUNK = 8, 3, 512
TYPES = {"f16": llama_cpp.GGML_TYPE_F16, "q8_0": llama_cpp.GGML_TYPE_Q8_0}


@contextmanager
def kept_as(kind: str) -> Iterator[None]:
    """Contexts made meanwhile keep keys and values in this type."""
    made = llama._context_params

    def changed(options: llama.ContextOptions) -> Any:
        params = made(options)
        params.type_k = params.type_v = TYPES[kind]
        return params

    llama._context_params = changed
    try:
        yield
    finally:
        llama._context_params = made


def read(context: llama.Context, sequence: int, tokens: int) -> None:
    for at in range(0, tokens, CHUNK):
        count = min(CHUNK, tokens - at)
        context.fill(0, sequence, at, [5 + sequence] * count, last_wanted=True)
        assert context.decode(count) == 0, "llama.cpp refused"
        context.logits(1)


def write(context: llama.Context, sequences: int, position: int) -> None:
    for sequence in range(sequences):
        context.fill(sequence, sequence, position, [7], last_wanted=True)
    assert context.decode(sequences) == 0, "llama.cpp refused"
    context.logits(sequences)  # waits for the card


def main(arguments: list[str]) -> None:
    path, sequences, tokens = Path(arguments[0]), int(arguments[1]), int(arguments[2])
    layers, threads = (int(each) for each in [*arguments[3:], "0", "1"][:2])
    logs = llama.LogRing()
    logs.install()
    model = llama.Model(path, exact=False, gpu_layers=layers)
    contexts, prefill = {}, {}
    for unified, kind in WAYS:
        options = llama.ContextOptions(
            slots=sequences, context_tokens=tokens + 64, batch_tokens=CHUNK, threads=threads, exact=False, embedding=False,
            unified=unified,
        )  # fmt: skip
        with kept_as(kind):
            contexts[unified, kind] = context = llama.Context(model, options)
        write(context, sequences, 0)
        context.clear()
        cpu, wall = time.process_time(), time.monotonic()
        for sequence in range(sequences):
            read(context, sequence, tokens)
        prefill[unified, kind] = (time.process_time() - cpu, time.monotonic() - wall)
    took: dict[Any, list[tuple[float, float]]] = {way: [] for way in WAYS}
    for turn, way in itertools.product(range(TURNS), WAYS):
        cpu, wall = time.process_time(), time.monotonic()
        for step in range(STEPS):
            write(contexts[way], sequences, tokens + turn * STEPS + step)
        took[way].append((time.process_time() - cpu, time.monotonic() - wall))
    for unified, kind in WAYS:
        cpu_s, wall_s = (min(column) for column in zip(*took[unified, kind], strict=True))
        told = {"file": path.stem, "sequences": sequences, "tokens": tokens, "unified": unified, "type": kind}
        read_cpu_s, read_s = prefill[unified, kind]
        per_step = {"step_cpu_ms": round(cpu_s / STEPS * 1e3, 2), "step_ms": round(wall_s / STEPS * 1e3, 2)}
        print(json.dumps({**told, **per_step, "read_cpu_s": round(read_cpu_s, 2), "read_s": round(read_s, 2)}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
