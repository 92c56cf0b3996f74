"""Exact answers in torch, fast: one forward pass per batch.

Greedy decoding gives the expected answer if and only if, fed with that answer, the most likely token is
the right one at every place, the end included.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import torch
from tokenizers import Tokenizer

from mote.model import Mote
from mote.questions import Question

ROWS = 24


@torch.no_grad()
def exact_answers(model: Mote, tokenizer: Tokenizer, questions: Sequence[Question]) -> dict[str, list[bool]]:
    """Per skill, whether each question would be answered exactly."""
    encoded = [(q.skill, tokenizer.encode(q.prompt).ids, tokenizer.encode(q.answer).ids) for q in questions]
    encoded.sort(key=lambda e: len(e[1]) + len(e[2]))
    results: dict[str, list[bool]] = defaultdict(list)
    for start in range(0, len(encoded), ROWS):
        rows = encoded[start : start + ROWS]
        ids = torch.zeros(len(rows), max(len(p) + len(a) for _, p, a in rows), dtype=torch.long)
        for row, (_, prompt, answer) in enumerate(rows):
            ids[row, : len(prompt) + len(answer)] = torch.tensor(prompt + answer)
        likely = model(ids).argmax(-1)
        for row, (skill, prompt, answer) in enumerate(rows):
            said = likely[row, len(prompt) - 1 : len(prompt) + len(answer) - 1]
            results[skill].append(said.tolist() == answer)
    return dict(results)
