"""What answers when the asked tier cannot: the order of tiers, and of models within one."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from iamine.ids import ModelId
from iamine.manifest import TIERS, Tier
from pool.routing.types import ModelCard

SHORT_WAIT_S = 10.0  # rather another tier than to wait for longer
LAST_CALL_S = 10.0  # before the deadline: from here on any model that can answer soon is better than none


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """Where a job waits: the model, about how long still (None: nobody knows), and how long it may.

    `named`: the client asked for this very model, and rather waits for it than to get another.
    """

    model: ModelId
    wait_s: float | None
    left_s: float
    named: bool


def move(
    candidates: Iterable[Candidate], stay: Stay, asked: Tier, floor: Tier, *, prompt_tokens: int, tools: bool
) -> Candidate | None:
    """Where a job that nobody has begun had better go; None: it stays.

    It goes by the order of `pick`, and only to a model that lives and has the room: from one that nobody serves any more;
    from one where the wait is long to one where it is short, unless it was asked for by name; and from anywhere when it
    would not get its turn before its deadline.
    """
    known = [replace(one, wait_s=stay.wait_s) if one.card.model == stay.model else one for one in candidates]
    best = pick(known, asked, floor, prompt_tokens=prompt_tokens, tools=tools)
    if best is None or best.card.model == stay.model or not can_take(best, prompt_tokens=prompt_tokens, tools=tools):
        return None
    if not any(one.card.model == stay.model and one.card.workers for one in known):
        return best
    wait_s = math.inf if stay.wait_s is None else stay.wait_s
    late = stay.left_s <= LAST_CALL_S or SHORT_WAIT_S < wait_s > stay.left_s
    soon = best.wait_s is not None and best.wait_s <= SHORT_WAIT_S
    return best if soon and (late or (not stay.named and wait_s > SHORT_WAIT_S)) else None


def can_take(one: Candidate, *, prompt_tokens: int, tools: bool) -> bool:
    """Whether the model lives, has room for the prompt, and calls tools if there are any."""
    card = one.card
    return card.workers > 0 and card.context_tokens > prompt_tokens and not (tools and not card.tool_format)


def above(candidates: Iterable[Candidate], tier: Tier) -> Candidate | None:
    """Whom to put a hard question to: a live model of a larger tier with a short wait, the largest first."""
    larger = [
        one
        for one in candidates
        if TIERS.index(one.tier) > TIERS.index(tier)
        and one.card.workers
        and one.wait_s is not None
        and one.wait_s <= SHORT_WAIT_S
    ]
    return max(larger, key=lambda one: (TIERS.index(one.tier), -(one.wait_s or 0.0), one.card.workers), default=None)


def degraded(asked: Tier, answers: Tier) -> bool:
    """Whether a lower tier answers than was asked."""
    return TIERS.index(answers) < TIERS.index(asked)
