"""What answers when the asked tier cannot: the order of tiers, and of models within one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from iamine.manifest import TIERS, Tier
from pool.routing.types import ModelCard


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A model and its tier."""

    card: ModelCard
    tier: Tier


def order(asked: Tier, floor: Tier) -> tuple[Tier, ...]:
    """All tiers in the order to try: the asked one, then up, then down. What lies below the floor comes last."""
    start = max(TIERS.index(asked), TIERS.index(floor))
    return TIERS[start:] + TIERS[:start][::-1]


def pick(candidates: Iterable[Candidate], tiers: Sequence[Tier], *, prompt_tokens: int, tools: bool) -> Candidate | None:
    """Who answers: one that can, that has room for the prompt, that lives, in the first such tier; None without any.

    Too long for those alive waits for one that has the room. If nothing lives, the best one known is waited for.
    Within a tier the one with the most workers has the least expected wait; the larger context breaks ties.
    """

    def rank(one: Candidate) -> tuple[bool, bool, bool, int, int, int, str]:
        card = one.card
        return (
            tools and not card.tool_format,
            card.context_tokens <= prompt_tokens,
            card.workers == 0,
            tiers.index(one.tier),
            -card.workers,
            -card.context_tokens,
            card.model,
        )

    return min(candidates, key=rank, default=None)


def degraded(asked: Tier, answers: Tier) -> bool:
    """Whether a lower tier answers than was asked."""
    return TIERS.index(answers) < TIERS.index(asked)
