"""How fast a worker is, in classes: measured speeds are noisy, and a class lets one figure stand for many workers."""

import math
from functools import lru_cache
from typing import NamedTuple

from iamine.wire.messages import ModelOffer
from iamine.work import USUAL_OUTPUT_TOKENS, capacity_tps

UNMEASURED_TPS = 10.0  # a worker that has not measured itself yet is taken for a slow one, so it must prove itself
WRITE_CLASSES = 4  # to a doubling of the decode speed: 19 % each, within the 25 % of the band
READ_CLASSES = 2  # to a doubling of the prefill speed


class Pace(NamedTuple):
    """Workers of one file that are equally fast now: log2 classes of both speeds, and of the tokens they still have to read."""

    file_sha256: str
    write: int
    read: int
    backlog: int

    @property
    def write_s(self) -> float:
        """Seconds for a written token."""
        return math.exp2(-self.write / WRITE_CLASSES)

    @property
    def read_s(self) -> float:
        """Seconds for a read token."""
        return math.exp2(-self.read / READ_CLASSES)

    @property
    def backlog_tokens(self) -> float:
        """Tokens to be read before anything new."""
        return float(4**self.backlog) if self.backlog else 0.0


def pace(offer: ModelOffer, running: int, backlog_tokens: int) -> Pace:
    """The class of a worker that writes `running` sequences and has so many prompt tokens to read.

    A measured decode rate is that of one sequence alone; continuous batching shares it less than fairly at first
    (facts: 1 -> 8 sequences gave x 2.5 in all), so the share is taken as rate / sqrt(sequences).
    """
    backlog = math.ceil(math.log2(backlog_tokens) / 2) if backlog_tokens > 1 else 0
    return _pace(offer.file_sha256, offer.decode_tps or UNMEASURED_TPS, offer.prefill_tps or UNMEASURED_TPS, running, backlog)


@lru_cache(maxsize=65_536)
def _pace(file_sha256: str, decode_tps: float, prefill_tps: float, running: int, backlog: int) -> Pace:
    decode_tps /= math.sqrt(running + 1)
    return Pace(
        file_sha256=file_sha256,
        write=round(WRITE_CLASSES * math.log2(decode_tps)),
        read=round(READ_CLASSES * math.log2(prefill_tps)),
        backlog=backlog,
    )


def expected_wait_s(pace: Pace, *, prompt_tokens: int, output_tokens: int) -> float:
    """Seconds until the whole answer: (queued tokens + uncached prompt) / prefill rate + output / decode rate."""
    return (pace.backlog_tokens + prompt_tokens) * pace.read_s + output_tokens * pace.write_s


def capacity(offer: ModelOffer) -> float:
    """Virtual tokens a second that the worker gives with all slots at usual requests; batching as in `pace`."""
    prefill_tps, decode_tps = offer.prefill_tps or UNMEASURED_TPS, offer.decode_tps or UNMEASURED_TPS
    if offer.kind == "embedding":
        return prefill_tps * math.sqrt(offer.slots)
    return capacity_tps(prefill_tps=prefill_tps, decode_tps=decode_tps, slots=offer.slots)


def jobs_per_s(offer: ModelOffer) -> float:
    """Usual answers a second from all slots; 0 of a worker that has not measured itself."""
    return math.sqrt(offer.slots) * offer.decode_tps / USUAL_OUTPUT_TOKENS
