"""What answers when the asked tier cannot: the order of tiers, and of models within one."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from iamine.manifest import TIERS, Tier
from pool.routing.types import ModelCard

SHORT_WAIT_S = 10.0  # rather another tier than to wait for longer


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A model, its tier, and about how long a job of it would wait (None: nobody knows)."""

    card: ModelCard
    tier: Tier
    wait_s: float | None


def order(asked: Tier, floor: Tier) -> tuple[Tier, ...]:
    """All tiers in the order to try: the asked one, then up, then down. What lies below the floor comes last."""
    start = max(TIERS.index(asked), TIERS.index(floor))
    return TIERS[start:] + TIERS[:start][::-1]


def pick(candidates: Iterable[Candidate], asked: Tier, floor: Tier, *, prompt_tokens: int, tools: bool) -> Candidate | None:
    """Who answers: one that can, that has room for the prompt, that lives, in the first such tier; None without any.

    Too long for those alive waits for one that has the room. If nothing lives, the best one known is waited for.
    A tier where the wait is long is passed over, but not for one below the floor. Within a tier the least wait, then
    the most workers.
    """
    tiers = order(asked, floor)

    def rank(one: Candidate) -> tuple[bool, bool, bool, bool, bool, int, float, int, str]:
        card = one.card
        wait_s = math.inf if one.wait_s is None else one.wait_s
        return (
            tools and not card.tool_format,
            card.context_tokens <= prompt_tokens,
            card.workers == 0,
            degraded(floor, one.tier),
            wait_s > SHORT_WAIT_S,
            tiers.index(one.tier),
            wait_s,
            -card.workers,
            card.model,
        )

    return min(candidates, key=rank, default=None)


def degraded(asked: Tier, answers: Tier) -> bool:
    """Whether a lower tier answers than was asked."""
    return TIERS.index(answers) < TIERS.index(asked)
