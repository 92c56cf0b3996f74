"""Which token comes next: penalties, bias, filters and a draw that depends on (seed, index) only. Pure (numpy, no I/O).

Order as in llama.cpp's common sampler: penalties -> bias -> (grammar mask) -> temperature-free filters top-k, top-p, min-p
-> temperature -> draw. OpenAI's presence and frequency penalties count the tokens of the answer, not of the prompt; so
does `repeat_penalty` here (its formula is llama.cpp's `llama_sampler_init_penalties`, over the whole answer).

A vocabulary has 150 000 tokens and the decode thread draws for all sequences, so nothing here sorts them, or computes in
float64 over all of them: 18 ms a token became 0.2 (docs/performance.md).

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
_STEPS = 16  # of a logit's unit, where the nucleus is larger than that
_DEPTH = 40.0  # what is so much below the best one is rarer than float64 can add to it
_ROW = 512  # tokens in a row, of which a draw without filters takes one first
_LEAST_PENALTY = 1e-6  # a logit divided by it is finite in float32; so is one divided by
_LEAST_TEMPERATURE = 1e-6  # this: below it the best token is the answer
_MARGIN = np.float32(1e-3)  # the coarse filter lets by what rounding could have kept out


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
        penalty = max(sampling.repeat_penalty, _LEAST_PENALTY)
        seen = np.where(seen <= 0, seen * penalty, seen / penalty)
    out[ids] = seen - times * np.float32(sampling.frequency_penalty) - np.float32(sampling.presence_penalty)


def draw(logits: Logits, sampling: Sampling, index: int, allowed: Mask | None = None) -> int:
    """The id of token `index` of the answer from adjusted logits, or NOTHING_ALLOWED.

    `allowed` is the grammar's mask (the first draw was refused): the second random number of this index is used.
    """
    masked = logits if allowed is None else np.where(allowed, logits, np.float32(-np.inf))
    best = int(np.argmax(masked))
    if not np.isfinite(masked[best]):
        return NOTHING_ALLOWED
    if sampling.temperature <= _LEAST_TEMPERATURE:
        return best
    number = uniform(sampling.seed, index, 0 if allowed is None else 1)
    relative = masked - masked[best]
    if not (_top_k(relative, sampling) or sampling.top_p < 1.0 or sampling.min_p > 0.0):
        return _anywhere(relative, sampling.temperature, number)
    ids = _candidates(relative, sampling)
    weights = np.exp(relative[ids].astype(np.float64) / sampling.temperature)
    return int(ids[_place(weights, number)])


def _place(weights: npt.NDArray[Any], number: float) -> int:
    """Where `number` in [0, 1) falls among the weights laid end to end."""
    reached = np.cumsum(weights, dtype=np.float64)
    return min(int(np.searchsorted(reached, number * reached[-1], side="right")), len(weights) - 1)


def _anywhere(relative: Logits, temperature: float, number: float) -> int:
    """A draw among all tokens: first a row of them, then a token in it. Overwrites `relative`.

    In place, because the pages of a second array of this size are given back and taken again: 1.3 ms instead of 0.2.
    """
    relative *= np.float32(1.0 / temperature)
    weights = np.exp(relative, out=relative)
    sums = np.add.reduceat(weights, np.arange(0, len(weights), _ROW)).astype(np.float64)
    reached = np.cumsum(sums)
    row = min(int(np.searchsorted(reached, number * reached[-1], side="right")), len(sums) - 1)
    left = (number * reached[-1] - reached[row] + sums[row]) / sums[row]
    return row * _ROW + _place(weights[row * _ROW : (row + 1) * _ROW], min(max(left, 0.0), 1.0))


def _top_k(relative: Logits, sampling: Sampling) -> int:
    """How many of the best are kept; 0 for all."""
    return sampling.top_k if 0 < sampling.top_k < len(relative) else 0


def _candidates(relative: Logits, sampling: Sampling) -> npt.NDArray[Any]:
    """The ids that may be drawn; `relative` are the logits less the best one."""
    top_k = _top_k(relative, sampling)
    if top_k:
        ids = _best(relative, top_k)[:top_k]
        wide = _weights(relative, ids)
        ids = ids[: _nucleus(wide, sampling.top_p * wide.sum())] if sampling.top_p < 1.0 else ids
    elif sampling.top_p < 1.0:
        ids = _reaching(relative, sampling.top_p * float(np.exp(relative).sum()))
    else:
        ids = np.flatnonzero(relative >= np.float32(np.log(sampling.min_p)) - _MARGIN)
    return np.asarray(ids[_weights(relative, ids) >= sampling.min_p])  # the best has weight 1


def _weights(relative: Logits, ids: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Without the temperature."""
    return np.asarray(np.exp(relative[ids].astype(np.float64)))


def _reaching(relative: Logits, wanted: float) -> npt.NDArray[Any]:
    """The best ids, as few as their weights come to `wanted`: found among the first, or else by steps of the logit."""
    ids = _best(relative, _FIRST_CANDIDATES)
    wide = _weights(relative, ids)
    if wide.sum() >= wanted or len(ids) == len(relative):
        return np.asarray(ids[: _nucleus(wide, wanted)])
    steps = np.minimum(relative * np.float32(-_STEPS), np.float32(_STEPS * _DEPTH)).astype(np.int64)
    reached = np.cumsum(np.bincount(steps, weights=np.exp(relative)))
    border = int(np.searchsorted(reached, wanted, side="left"))
    sure, among = np.flatnonzero(steps < border), np.flatnonzero(steps == border)
    among = among[np.lexsort((among, -relative[among]))]
    left = wanted - float(_weights(relative, sure).sum())
    return np.concatenate((sure, among[: _nucleus(_weights(relative, among), left)]))


def _best(relative: Logits, count: int) -> npt.NDArray[Any]:
    """At least the `count` best ids, best first (smaller id first among equals).

    The border is the `count`-th best of the maxima of some 16 times as many columns: no fewer tokens can be above it.
    """
    columns = 16 * count
    if columns * 4 > len(relative):
        ids = np.arange(len(relative)) if count * 4 > len(relative) else _above(relative, relative, count)
    else:
        whole = len(relative) // columns * columns
        ids = _above(relative, relative[:whole].reshape(-1, columns).max(axis=0), count)
    return np.asarray(ids[np.lexsort((ids, -relative[ids]))])


def _above(relative: Logits, some: Logits, count: int) -> npt.NDArray[Any]:
    """The ids not below the `count`-th best of `some` of the logits."""
    return np.flatnonzero(relative >= np.partition(some, len(some) - count)[len(some) - count])


def _nucleus(ordered: npt.NDArray[np.float64], wanted: float) -> int:
    """How many of the ordered weights are needed to reach `wanted`; at least 1."""
    return int(np.searchsorted(np.cumsum(ordered), wanted, side="left")) + 1


def log_total(logits: Logits) -> float:
    """The logarithm of what exp over the raw logits sums up to: a logit less this is the token's log probability."""
    best = logits.max()
    return float(best) + float(np.log(np.exp(logits - best).sum()))


def top_tokens(logits: Logits, count: int) -> list[int]:
    """The `count` most probable ids, best first; smaller id first among equals."""
    return [int(i) for i in _best(logits, min(count, len(logits)))[:count]] if count > 0 else []
