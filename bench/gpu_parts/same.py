"""Whether the card writes what the processor writes: the bundled model's answers to the same questions, token by token.

LLAMA_CPP_LIB_PATH=FOLDER python bench/gpu_parts/same.py
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from engine_parts.asked import Asked
from engine_parts.ours import Ours, Setting

from appliance.agent.plan import ALL_LAYERS

MOTE = Path(__file__).parents[2] / "appliance/agent/data/mote-Q8_0.gguf"
QUESTIONS = (
    "Hello", "Count from 1 to 20.", "What is your name?", "Tell me about the river.", "Say the alphabet.", "What is 3 plus 4?",
    "Tell me about the horse.", "Repeat: the blue stone.",
)  # fmt: skip
CHATML = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"


def answers(layers: int, at_once: int) -> list[list[int]]:
    """Ids up to the model's own end."""
    engine = Ours(MOTE, Setting(gpu_layers=layers, exact=not layers), name="engine")
    try:
        engine.run(Asked(prompts=tuple(map(CHATML.format, QUESTIONS)), tokens=96, at_once=at_once, ignore_eos=False))
        return list(engine.answers.values())
    finally:
        engine.close()


def first_difference(one: list[int], other: list[int]) -> int | None:
    """The index at which they part; None when they are the same."""
    if one == other:
        return None
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def main() -> None:
    processor = answers(0, 1)
    for at_once in (1, len(QUESTIONS)):
        card = answers(ALL_LAYERS, at_once)
        parted = [first_difference(a, b) for a, b in zip(processor, card, strict=True)]
        told = {"at_once": at_once, "answers": len(parted), "same": parted.count(None), "parted_at": parted}
        print(json.dumps({**told, "tokens": sum(map(len, processor))}), flush=True)


if __name__ == "__main__":
    main()
