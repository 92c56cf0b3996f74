"""Work in virtual tokens: what both sides count requests and machines by. Pure.

A read token is 1, a written one OUTPUT_COST (VTC, OSDI 2024). A usual request reads and writes 256 tokens.
"""

import math

OUTPUT_COST = 2.0
USUAL_PROMPT_TOKENS = 256
USUAL_OUTPUT_TOKENS = 256  # for estimates only, when a client asks for as much as there is room for


def cost(read_tokens: int, written_tokens: int) -> float:
    """What so many uncached prompt tokens and written tokens cost, in virtual tokens."""
    return read_tokens + OUTPUT_COST * written_tokens


def capacity_tps(*, prefill_tps: float, decode_tps: float, slots: int) -> float:
    """Virtual tokens a second that a model gives with all slots at usual requests; both speeds are those of one sequence.

    Continuous batching shares less than fairly at first (1 -> 8 sequences gave x 2.5 in all), so it counts as sqrt(slots).
    """
    seconds = USUAL_PROMPT_TOKENS / prefill_tps + USUAL_OUTPUT_TOKENS / decode_tps
    return cost(USUAL_PROMPT_TOKENS, USUAL_OUTPUT_TOKENS) / seconds * math.sqrt(slots)
