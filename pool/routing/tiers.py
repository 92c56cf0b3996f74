"""Which tier a request should get, and which tier a model is of: a few rules, each with its reason. No model is asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from iamine.ids import ModelId
from iamine.manifest import TIERS, Manifest, Tier
from pool.routing.features import Features
from pool.routing.types import ModelCard

AUTO: Final = "iamine-auto"
NAMES: Final[Mapping[str, Tier]] = {f"iamine-{tier}": tier for tier in TIERS}  # what a client asks a tier by
UNKNOWN_TIER: Final[Tier] = "micro"  # a file that nobody vouches for promises nothing: a name is a claim anyone can make

# An answer wants room beside its prompt; below these, what small models read well (design/stream.md has no figures yet)
SMALL_TOKENS, MEDIUM_TOKENS, LARGE_TOKENS = 600, 4000, 16_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TierChoice:
    """A tier, and why, in a few words."""

    tier: Tier
    reason: str


def choose(features: Features, capacity: Mapping[Tier, int], *, floor: Tier = "micro") -> TierChoice:
    """The tier that fits the request. `capacity` is the number of workers that serve each tier now.

    What a request needs does not depend on who is there (fallback.py does); a second try goes one tier up only where
    somebody lives above.
    """
    choice = max(_wishes(features), key=lambda wish: TIERS.index(wish.tier))
    if features.asked_again:
        above = next((tier for tier in TIERS[TIERS.index(choice.tier) + 1 :] if capacity.get(tier, 0)), None)
        if above is not None:
            choice = TierChoice(tier=above, reason="asked again")
    if TIERS.index(choice.tier) < TIERS.index(floor):
        return TierChoice(tier=floor, reason="the operator's floor")
    return choice


def _wishes(features: Features) -> list[TierChoice]:
    """Every rule that applies; of equals the first is told."""
    tokens = features.prompt_tokens
    rules: tuple[tuple[bool, Tier, str], ...] = (
        (tokens >= LARGE_TOKENS, "large", "very long prompt"),
        (tokens >= MEDIUM_TOKENS, "medium", "long prompt"),
        (features.hard, "medium", "reasoning"),
        (features.tools, "small", "tools"),
        (features.code, "small", "code"),
        (tokens >= SMALL_TOKENS, "small", "more than a short prompt"),
        (features.language != "en", "small", "language"),
        (features.task, "small", "a task"),
        (True, "micro", "short talk"),
    )
    return [TierChoice(tier=tier, reason=reason) for applies, tier, reason in rules if applies]


class Tiers:
    """The tier of every model: by the operator's word, by the file's SHA-256, else by its id, else UNKNOWN_TIER."""

    def __init__(self, manifest: Manifest, named: Mapping[str, Tier] | None = None) -> None:
        self._named = dict(named or {})
        tiers = [(model, model.tier) for model in manifest.model if model.tier]
        self._by_file: dict[str, Tier] = {file.sha256: tier for model, tier in tiers for file in model.file}
        self._by_id: dict[str, Tier] = {model.id: tier for model, tier in tiers}

    def named(self, model: ModelId) -> Tier:
        """The tier of a model of which nothing but the name is known."""
        return self._named.get(model) or self._by_id.get(model, UNKNOWN_TIER)

    def of(self, card: ModelCard) -> Tier:
        """The model's tier; the lowest where workers offer several files under one name."""
        if card.model in self._named:
            return self._named[card.model]
        known = [self._by_file[sha256] for sha256 in card.file_sha256 if sha256 in self._by_file]
        return min(known, key=TIERS.index) if known else self._by_id.get(card.model, UNKNOWN_TIER)
