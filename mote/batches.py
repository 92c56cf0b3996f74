"""Dialogues as batches of few fixed shapes, with tasks drawn by how often they still fail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Encoding, Tokenizer
from torch import Tensor

from mote.data import SKILLS, TASKS, Generator
from mote.data_text import Span, render
from mote.tokenizer import TURN_END, letter_pieces

# A batch holds as many rows of one of these lengths as BATCH_TOKENS allow: few shapes, because
# oneDNN compiles its kernels per shape, but enough that little is padding.
BATCH_TOKENS = 3072
LENGTHS = (48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896, 1024)
DIALOGUES_AT_ONCE = 500

# How often each task is drawn; the trial's shares, with more for long answers and invented names.
SHARES = {
    "greet": 0.035,
    "who": 0.025,
    "project": 0.09,
    "refuse": 0.045,
    "unknown": 0.11,
    "think": 0.08,
    "weather": 0.05,
    "search": 0.07,
    "get_time": 0.03,
    "add": 0.05,
    "read_file": 0.06,
    "write_file": 0.10,
    "echo": 0.11,
    "echo_numbers": 0.04,
    "extract": 0.07,
    "introduce": 0.05,
    "count": 0.05,
    "count_down": 0.04,
    "recite": 0.02,
    "memory": 0.15,
}
# In the last stage more of what came out weakest after the first (count_down 92 %, words twice in a row).
WIDE_SHARES = {"echo": 0.14, "think": 0.10, "count": 0.08, "count_down": 0.09}
# Answers that a task leads to besides its own.
LEADS_TO = {
    "memory": ("tell", "recall", "recall_untold"),
    "unknown": ("unknown", "unknown_no_tool"),
    **{tool: (tool, f"after_{tool}") for tool in ("think", "weather", "search", "get_time", "add")},
    **{tool: (tool, f"after_{tool}") for tool in ("read_file", "write_file")},
}
# Shares of dialogues by their number of exchanges: (share, fewest, most).
EXCHANGES = ((0.60, 1, 1), (0.21, 2, 2), (0.09, 3, 3), (0.05, 4, 6), (0.05, 7, 16))

PROMPT_WEIGHT = 0.1
FULL_WEIGHT_TOKENS = 16
END_WEIGHT = 2.0
PADDING, PROMPT = -2, -1
SKILL_NUMBER = {skill: number for number, skill in enumerate(SKILLS)}


@dataclass(slots=True)
class Example:
    """One dialogue: token ids, the skill of each token (or PROMPT) and its weight in the loss."""

    ids: npt.NDArray[np.int64]
    skill: npt.NDArray[np.int64]
    weight: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Batch:
    """Examples of like length, each tensor of shape (rows, length)."""

    ids: Tensor
    skill: Tensor
    weight: Tensor


@dataclass(slots=True)
class Failures:
    """A running share of wrong answers per skill."""

    share: dict[str, float] = field(default_factory=lambda: dict.fromkeys(SKILLS, 1.0))
    memory: float = 0.97

    def note(self, skill: str, answers: int, wrong: int) -> None:
        """Takes in some answers, of which some were wrong."""
        keep = self.memory**answers
        self.share[skill] = keep * self.share[skill] + (1 - keep) * wrong / answers

    def task_weights(self, shares: dict[str, float]) -> list[float]:
        """How often each of TASKS should be drawn next."""
        return [shares[task] * (0.3 + max(self.share[s] for s in LEADS_TO.get(task, (task,)))) for task in TASKS]


class Batches:
    """An endless stream of batches; tell `failures` what went wrong and later ones will lean to it."""

    def __init__(self, tokenizer: Tokenizer, seed: int, context: int, *, wide: bool = False) -> None:
        self.tokenizer, self.context = tokenizer, context
        self.shares = SHARES | WIDE_SHARES if wide else SHARES
        self.generator = Generator(seed, vocabulary=letter_pieces(tokenizer), wide=wide)
        self.failures = Failures()
        self.waiting: dict[int, list[Example]] = {length: [] for length in LENGTHS if length <= context}

    def __iter__(self) -> Iterator[Batch]:
        while True:
            texts, spans = zip(*(render(self.generator.dialogue(tasks)) for tasks in self._plans()), strict=True)
            ready = []
            for encoded, places in zip(self.tokenizer.encode_batch(texts), spans, strict=True):
                ready += self._put(example(encoded, places, self.context))
            self.generator.random.shuffle(ready)
            yield from ready

    def _plans(self) -> Iterator[list[str]]:
        source, weights = self.generator.random, self.failures.task_weights(self.shares)
        shares = [share for share, _, _ in EXCHANGES]
        for _, fewest, most in source.choices(EXCHANGES, shares, k=DIALOGUES_AT_ONCE):
            yield source.choices(TASKS, weights, k=source.randint(fewest, most))

    def _put(self, one: Example) -> list[Batch]:
        """Puts an example where its length fits; gives back a batch if that is full."""
        length = next(n for n in self.waiting if len(one.ids) <= n)
        row = self.waiting[length]
        row.append(one)
        if len(row) < BATCH_TOKENS // length:
            return []
        self.waiting[length] = []
        return [stack(row, length)]


def example(encoded: Encoding, spans: list[Span], context: int) -> Example:
    """Marks the answers of one dialogue; what goes beyond the context is cut off."""
    ids = np.array(encoded.ids[:context], np.int64)
    begins = [begin for begin, _ in encoded.offsets]
    skill = np.full(len(ids), PROMPT, np.int64)
    weight = np.full(len(ids), PROMPT_WEIGHT, np.float32)
    for span in spans:
        first, last = np.searchsorted(begins, (span.begin, span.end))
        if not span.skill or first >= len(ids):
            continue
        skill[first:last] = SKILL_NUMBER[span.skill]
        # Long answers count less per token, so that they do not drown the short ones.
        weight[first:last] = min(1.0, (FULL_WEIGHT_TOKENS / (last - first)) ** 0.5)
        if last <= len(ids):
            assert ids[last - 1] == TURN_END
            weight[last - 1] = END_WEIGHT
    return Example(ids, skill, weight)


def stack(examples: list[Example], length: int) -> Batch:
    """Examples side by side, padded at their ends."""
    ids = np.zeros((len(examples), length), np.int64)
    skill = np.full((len(examples), length), PADDING, np.int64)
    weight = np.zeros((len(examples), length), np.float32)
    for row, one in enumerate(examples):
        used = len(one.ids)
        ids[row, :used], skill[row, :used], weight[row, :used] = one.ids, one.skill, one.weight
    return Batch(torch.from_numpy(ids), torch.from_numpy(skill), torch.from_numpy(weight))
