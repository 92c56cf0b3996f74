"""Which worker: the least expected wait among those that may take the job."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from iamine.ids import WorkerId
from iamine.wire.messages import ModelOffer

UNMEASURED_TPS = 10.0  # a worker that has not measured itself yet is taken for a slow one, so it must prove itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A worker with a free slot for the model; `running` counts the sequences its engine holds now."""

    worker: WorkerId
    offer: ModelOffer
    running: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Who gets the job and why, in words for `GET /v1/jobs`."""

    worker: WorkerId
    offer: ModelOffer
    wait_s: float
    reason: str


def expected_wait_s(candidate: Candidate, *, prompt_tokens: int, output_tokens: int) -> float:
    """Seconds until the whole answer: prompt / prefill rate + output / this sequence's share of the decode rate.

    A measured decode rate is that of one sequence alone; continuous batching shares it less than fairly at first
    (facts: 1 -> 8 sequences gave x 2.5 in all), so the share is taken as rate / sqrt(sequences).
    """
    prefill = candidate.offer.prefill_tps or UNMEASURED_TPS
    decode = candidate.offer.decode_tps or UNMEASURED_TPS
    return prompt_tokens / prefill + output_tokens * math.sqrt(candidate.running + 1) / decode


def choose(candidates: Iterable[Candidate], *, prompt_tokens: int, output_tokens: int) -> Choice | None:
    """The candidate with the least expected wait; ties go to the one with fewer sequences, then by id."""
    best: tuple[float, int, WorkerId] | None = None
    chosen: Candidate | None = None
    count = 0
    for candidate in candidates:
        count += 1
        wait_s = expected_wait_s(candidate, prompt_tokens=prompt_tokens, output_tokens=output_tokens)
        rank = (wait_s, candidate.running, candidate.worker)
        if best is None or rank < best:
            best, chosen = rank, candidate
    if best is None or chosen is None:
        return None
    reason = f"least expected wait ({best[0]:.2f} s) of {count} with a free slot"
    return Choice(worker=chosen.worker, offer=chosen.offer, wait_s=best[0], reason=reason)
