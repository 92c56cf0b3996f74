"""From the name a client sends to the model that answers: a model's id, a tier, or one of OpenAI's names."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from iamine.ids import AccountId, ModelId
from iamine.manifest import TIERS, Manifest, Tier
from pool.dispatch.orders import find_model
from pool.dispatch.waits import Waits
from pool.errors import ContextTooLong, ModelNotFound
from pool.openai.types import ChatRequest, Chosen, CompletionRequest
from pool.routing.fallback import Candidate, Stay, above, can_take, degraded, move, pick
from pool.routing.features import BYTES_PER_TOKEN, asked_text, features, prompt_tokens
from pool.routing.recent import Recent
from pool.routing.tiers import AUTO, NAMES, TierChoice, Tiers, choose
from pool.routing.types import ModelCard

Request = ChatRequest | CompletionRequest
WaitOf = Callable[[ModelId], float | None]
UNKNOWN_CONTEXT = 1 << 20
MOST_TOKEN_BYTES = 256  # the longest tokens in use are runs of 128 spaces, so this never refuses what would fit
NO_MANIFEST = Manifest(version=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """What the operator sets: other names, the lowest tier to answer with, and the tiers of files of his own.

    `substitute`: a model that no worker offers now is stood in for by one that lives.
    """

    manifest: Manifest = NO_MANIFEST
    aliases: Mapping[str, str] = field(default_factory=dict)
    quality_floor: Tier = "micro"
    model_tiers: Mapping[str, Tier] = field(default_factory=dict)
    substitute: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Pseudo:
    """A name that stands for whichever model fits: the models behind it that live now."""

    name: ModelId
    cards: tuple[ModelCard, ...]


class Router:
    """Resolves names. `wait_s` tells how long a model's queue is. It remembers for half a minute, as hashes, who asked what."""

    def __init__(self, routing: Routing, wait_s: WaitOf) -> None:
        self._routing = routing
        self._wait_s = wait_s
        self._waits = Waits(wait_s)
        self._tiers = Tiers(routing.manifest, routing.model_tiers)
        self._recent = Recent()

    def embedding(self, cards: Sequence[ModelCard], name: ModelId) -> ModelCard:
        """The model for an embedding: vectors of different models have nothing in common, so nobody stands in."""
        return find_model(cards, self._real_name(cards, name), embedding=True)

    def route(self, request: Request, cards: Sequence[ModelCard], account: AccountId, now: float) -> tuple[ModelCard, Chosen]:
        """The model that answers, and how it was chosen. Raises ModelNotFound, InvalidRequest, ContextTooLong."""
        self._check_room(request, cards)
        name = self._real_name(cards, request.model)
        if name == AUTO:
            return self._by_tier(request, cards, self._fitting(request, cards, account, now))
        if name in NAMES:
            return self._by_tier(request, cards, TierChoice(tier=NAMES[name], reason="asked by tier"))
        card = find_model(cards, name, embedding=False)
        asked: Tier = self._tiers.of(card)
        if card.workers == 0 and self._may_stand_in(request):
            found = self._pick(request, cards, asked)
            if found is not None and found.card.workers:
                reason = f"no worker offers {card.model} now"
                return found.card, replace(_chosen(found.tier, asked, reason, named=True), missed=card.model)
        return card, _chosen(asked, asked, "asked by name", named=True)

    def move(
        self, request: Request, cards: Sequence[ModelCard], chosen: Chosen, stay: Stay, now: float
    ) -> tuple[ModelCard, Chosen] | None:
        """Where a job that still waits had better go, and how that is told; None: it stays."""
        if not self._is_movable(request, chosen):
            return None
        found = move(
            self._candidates(request, cards, lambda model: self._waits.at(model, now)),
            stay,
            chosen.asked,
            self._routing.quality_floor,
            prompt_tokens=prompt_tokens(request),
            tools=_tools(request),
        )
        if found is None:
            return None
        self._waits.joined(found.card.model)
        alive = any(card.model == stay.model and card.workers for card in cards)
        why = f"the wait for {stay.model} was long" if alive else f"no worker offers {stay.model} now"
        missed = chosen.missed or (stay.model if chosen.named else "")
        return found.card, replace(_chosen(found.tier, chosen.asked, why, named=chosen.named), missed=missed)

    def heir(
        self, request: Request, cards: Sequence[ModelCard], chosen: Chosen, model: ModelId, *, tools: bool
    ) -> tuple[ModelCard, Chosen] | None:
        """Who can go on from the text of an answer whose `model` is gone: another that lives; None without any.

        Harmony's channels cannot be entered in the middle.
        """
        if not isinstance(request, ChatRequest) or not self._is_movable(request, chosen):
            return None
        tools, tokens = tools or _tools(request), prompt_tokens(request)
        others = [
            one
            for one in self._candidates(request, cards)
            if one.card.model != model
            and one.card.tool_format != "harmony"
            and can_take(one, prompt_tokens=tokens, tools=tools)
        ]
        found = pick(others, chosen.asked, self._routing.quality_floor, prompt_tokens=tokens, tools=tools)
        if found is None:
            return None
        why = f"{model or 'the upstream provider'} was lost in the middle; goes on from its text"
        return found.card, _chosen(found.tier, chosen.asked, why, named=chosen.named)

    def roomier(
        self, request: Request, cards: Sequence[ModelCard], chosen: Chosen, context_tokens: int
    ) -> tuple[ModelCard, Chosen] | None:
        """Who holds more than so many tokens, alive or waited for; None when no known model does."""
        if not self._is_movable(request, chosen):
            return None
        roomy = [one for one in self._candidates(request, cards) if one.card.context_tokens > context_tokens]
        found = pick(
            roomy, chosen.asked, self._routing.quality_floor, prompt_tokens=prompt_tokens(request), tools=_tools(request)
        )
        if found is None or (_tools(request) and not found.card.tool_format):
            return None
        return found.card, _chosen(found.tier, chosen.asked, "the prompt needs more context", named=chosen.named)

    def thinker(self, cards: Sequence[ModelCard], tier: str, now: float) -> ModelCard | None:
        """A larger model than this tier's that lives and has a short wait; None when there is none."""
        chats = [self._candidate(card, lambda model: self._waits.at(model, now)) for card in cards if card.kind == "chat"]
        found = above(chats, next(known for known in TIERS if known == tier))
        if found is None:
            return None
        self._waits.joined(found.card.model)
        return found.card

    def is_known(self, model: ModelId) -> bool:
        """Whether the manifest has it: then workers can come by it, though nobody here has yet."""
        return self._routing.manifest.find(model) is not None

    def may_leave(self, request: Request, chosen: Chosen) -> bool:
        """Whether anything but the model itself may answer."""
        return self._is_movable(request, chosen)

    def _is_movable(self, request: Request, chosen: Chosen) -> bool:
        return self._may_stand_in(request) if chosen.named else True

    def pseudo(self, cards: Sequence[ModelCard]) -> list[Pseudo]:
        """The names that can be served now: the choice by itself first, then the tiers with a live chat model."""
        live = tuple(card for card in cards if card.kind == "chat" and card.workers)
        found = [(AUTO, live)]
        found += [(name, tuple(card for card in live if self._tiers.of(card) == tier)) for name, tier in NAMES.items()]
        return [Pseudo(name=ModelId(name), cards=behind) for name, behind in found if behind]

    def _check_room(self, request: Request, cards: Sequence[ModelCard]) -> None:
        """Raises ContextTooLong for what is certainly too long for every known model; the rest an engine must count."""
        contexts = [card.context_tokens for card in cards if card.kind != "embedding"]
        if contexts and prompt_tokens(request) * BYTES_PER_TOKEN // MOST_TOKEN_BYTES >= max(contexts):
            message = f"The prompt is longer than the {max(contexts)} tokens that any model here can hold."
            raise ContextTooLong(message, param="messages" if isinstance(request, ChatRequest) else "prompt")

    def _real_name(self, cards: Sequence[ModelCard], name: ModelId) -> ModelId:
        """An alias never hides a model, nor a tier."""
        if name == AUTO or name in NAMES or any(card.model == name for card in cards):
            return name
        return ModelId(self._routing.aliases.get(name, name))

    def _fitting(self, request: Request, cards: Sequence[ModelCard], account: AccountId, now: float) -> TierChoice:
        text = asked_text(request)
        again = self._recent.again(account, text, now)
        capacity = dict.fromkeys(TIERS, 0)
        for one in self._candidates(request, cards):
            capacity[one.tier] += one.card.workers
        return choose(features(request, text, asked_again=again), capacity, floor=self._routing.quality_floor)

    def _by_tier(self, request: Request, cards: Sequence[ModelCard], wished: TierChoice) -> tuple[ModelCard, Chosen]:
        found = self._pick(request, cards, wished.tier)
        if found is None:
            if cards:
                raise ModelNotFound(f"No model here can answer as '{request.model}'.", param="model", hint="See /v1/models.")
            return nobody(request.model), _chosen(wished.tier, wished.tier, wished.reason, named=False)
        reason = wished.reason if found.tier == wished.tier else f"{wished.reason}; no {wished.tier} model for it now"
        return found.card, _chosen(found.tier, wished.tier, reason, named=False)

    def _pick(self, request: Request, cards: Sequence[ModelCard], asked: Tier) -> Candidate | None:
        candidates, floor = self._candidates(request, cards), self._routing.quality_floor
        return pick(candidates, asked, floor, prompt_tokens=prompt_tokens(request), tools=_tools(request))

    def _candidates(self, request: Request, cards: Sequence[ModelCard], wait_s: WaitOf | None = None) -> list[Candidate]:
        """Those that can; of models that do not reason only where nothing else is there, to be refused by name."""
        kinds = ("chat",) if isinstance(request, ChatRequest) else ("chat", "completion")
        known = [self._candidate(card, wait_s or self._wait_s) for card in cards if card.kind in kinds]
        if isinstance(request, ChatRequest) and request.effort not in ("", "none"):
            return [one for one in known if one.card.reasoning_format] or known
        return known

    def _candidate(self, card: ModelCard, wait_s: WaitOf) -> Candidate:
        return Candidate(card=card, tier=self._tiers.of(card), wait_s=wait_s(card.model))

    def _may_stand_in(self, request: Request) -> bool:
        """A raw prompt is written for one model's template, and token ids for one model's vocabulary."""
        return self._routing.substitute and isinstance(request, ChatRequest) and not request.sampling.logit_bias


def nobody(name: ModelId) -> ModelCard:
    """Stands for the first model that will be known here: a request waits under its own name until one is."""
    return ModelCard(
        model=name, kind="chat", context_tokens=UNKNOWN_CONTEXT, vocabulary_tokens=0, tool_format="hermes", workers=0, created=0
    )


def _tools(request: Request) -> bool:
    return isinstance(request, ChatRequest) and bool(request.tools)


@lru_cache(maxsize=1024)
def _chosen(tier: Tier, asked: Tier, reason: str, *, named: bool) -> Chosen:
    return Chosen(tier=tier, degraded=degraded(asked, tier), reason=reason, asked=asked, named=named)
