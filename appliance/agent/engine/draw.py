"""Which token comes next: penalties, bias, filters and a draw that depends on (seed, index) only. Pure (numpy, no I/O).

Order as in llama.cpp's common sampler: penalties -> bias -> (grammar mask) -> temperature-free filters top-k, top-p, min-p
-> temperature -> draw. OpenAI's presence and frequency penalties count the tokens of the answer, not of the prompt; so
does `repeat_penalty` here (its formula is llama.cpp's `llama_sampler_init_penalties`, over the whole answer).

The random number for token i is the first 53 bits of BLAKE2b-8(seed as int64, i as uint32, draw as uint32, little-endian);
`draw` is 0, or 1 when the grammar refused the first token: the second draw must be independent of the first one.
"""

import hashlib
import struct
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from iamine.wire.messages import Sampling

Logits = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
NOTHING_ALLOWED = -1
_FIRST_CANDIDATES = 256


def uniform(seed: int, index: int, draw: int) -> float:
    """A number in [0, 1), the same everywhere for the same arguments."""
    packed = struct.pack("<qII", (seed + 2**63) % 2**64 - 2**63, index, draw)
    return float((int.from_bytes(hashlib.blake2b(packed, digest_size=8).digest(), "little") >> 11) * 2.0**-53)


def is_plain_greedy(sampling: Sampling) -> bool:
    """Whether the most probable token is the answer without any change to the logits."""
    return sampling.temperature <= 0 and not (_penalises(sampling) or sampling.logit_bias or sampling.ignore_eos)


def _penalises(sampling: Sampling) -> bool:
    return bool(sampling.presence_penalty or sampling.frequency_penalty or sampling.repeat_penalty != 1.0)


def adjusted(logits: Logits, sampling: Sampling, counts: Mapping[int, int], banned: Collection[int]) -> Logits:
    """A copy of the logits with penalties, bias and banned tokens applied; `counts`: how often the answer has each id."""
    out = logits.copy()
    if counts and _penalises(sampling):
        _penalise(out, sampling, counts)
    if sampling.logit_bias:
        count = len(sampling.logit_bias)
        ids = np.fromiter(sampling.logit_bias.keys(), dtype=np.int64, count=count)
        out[ids] += np.fromiter(sampling.logit_bias.values(), dtype=np.float32, count=count)
    if banned:
        out[list(banned)] = -np.inf
    return out


def _penalise(out: Logits, sampling: Sampling, counts: Mapping[int, int]) -> None:
    ids = np.fromiter(counts.keys(), dtype=np.int64, count=len(counts))
    times = np.fromiter(counts.values(), dtype=np.float32, count=len(counts))
    seen = out[ids]
    if sampling.repeat_penalty != 1.0:
        seen = np.where(seen <= 0, seen * sampling.repeat_penalty, seen / sampling.repeat_penalty)
    out[ids] = seen - times * np.float32(sampling.frequency_penalty) - np.float32(sampling.presence_penalty)


def draw(logits: Logits, sampling: Sampling, index: int, allowed: Mask | None = None) -> int:
    """The id of token `index` of the answer from adjusted logits, or NOTHING_ALLOWED.

    `allowed` is the grammar's mask (the first draw was refused): the second random number of this index is used.
    """
    masked = logits if allowed is None else np.where(allowed, logits, -np.inf)
    best = int(np.argmax(masked))
    if not np.isfinite(masked[best]):
        return NOTHING_ALLOWED
    if sampling.temperature <= 0:
        return best
    ids, weights = _candidates(masked, sampling, best)
    reached = np.cumsum(weights)
    target = uniform(sampling.seed, index, 0 if allowed is None else 1) * reached[-1]
    return int(ids[min(int(np.searchsorted(reached, target, side="right")), len(ids) - 1)])


def _candidates(logits: Logits, sampling: Sampling, best: int) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
    """The ids that may be drawn and their weights at the asked temperature; no order is promised without filters."""
    relative = logits.astype(np.float64) - float(logits[best])
    weights = np.exp(relative / sampling.temperature)
    top_k = sampling.top_k if 0 < sampling.top_k < len(logits) else 0
    if not (top_k or sampling.top_p < 1.0 or sampling.min_p > 0.0):
        return np.arange(len(logits)), weights
    plain = np.exp(relative)
    ids = _ordered(logits, plain, top_k, sampling.top_p)
    ids = ids[: _nucleus(plain[ids], plain.sum() if not top_k else plain[ids].sum(), sampling.top_p)]
    ids = ids[plain[ids] >= sampling.min_p]  # the best has weight 1
    return ids, weights[ids]


def _ordered(logits: Logits, plain: npt.NDArray[np.float64], top_k: int, top_p: float) -> npt.NDArray[Any]:
    """Ids by falling logit (smaller id first among equals): all of them, `top_k`, or as many as the nucleus can need."""
    count = top_k or min(_FIRST_CANDIDATES, len(logits))
    if count < len(logits):
        border = np.partition(logits, len(logits) - count)[len(logits) - count]
        ids = np.flatnonzero(logits >= border)
        if top_k or (top_p < 1.0 and plain[ids].sum() >= top_p * plain.sum()):
            order = np.lexsort((ids, -logits[ids]))
            return np.asarray(ids[order][:top_k] if top_k else ids[order])
    everything = np.arange(len(logits))
    return np.asarray(everything[np.lexsort((everything, -logits))])


def _nucleus(plain: npt.NDArray[np.float64], total: float, top_p: float) -> int:
    """How many of the ordered candidates are needed to reach `top_p` of the total weight; at least 1."""
    if top_p >= 1.0:
        return len(plain)
    return int(np.searchsorted(np.cumsum(plain), top_p * total, side="left")) + 1


def log_probabilities(logits: Logits) -> npt.NDArray[np.float64]:
    """Natural logarithms of the softmax over raw logits."""
    relative = logits.astype(np.float64) - float(logits.max())
    return np.asarray(relative - np.log(np.exp(relative).sum()))


def top_tokens(logprobs: npt.NDArray[np.float64], count: int) -> list[int]:
    """The `count` most probable ids, best first; smaller id first among equals."""
    if count <= 0:
        return []
    border = np.partition(logprobs, len(logprobs) - count)[len(logprobs) - count]
    ids = np.flatnonzero(logprobs >= border)
    return [int(i) for i in ids[np.lexsort((ids, -logprobs[ids]))][:count]]
