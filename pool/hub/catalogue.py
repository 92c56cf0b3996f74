"""Which models the pool can name: offered now, or a short while ago (also before the pool's own restart)."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from iamine.ids import ModelId, WorkerId
from iamine.wire.messages import ModelOffer
from pool.routing.types import ModelCard
from pool.toolcalls.formats import Formats

MOST_REMEMBERED = 512  # of those: anybody may offer any name, and another one every second
REMEMBER_S = 600.0  # a model whose last worker left is listed this long: workers come and go


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    card: ModelCard
    seen_at: float

    @property
    def until(self) -> float:
        """When it is forgotten, if no worker offers it again."""
        return math.inf if self.card.workers else self.seen_at + REMEMBER_S

    def is_over(self, now: float) -> bool:
        """Whether it is forgotten by now."""
        return now > self.until


class _Variants:
    """The offers of one model, as a count of workers by what all offers of the same file say; their speeds aside.

    A thousand workers that offer one file are one variant: nothing here takes longer the more workers there are.
    """

    def __init__(self) -> None:
        self._offers: dict[_Variant, ModelOffer] = {}
        self._counts: Counter[_Variant] = Counter()
        self.workers = 0

    def add(self, offers: Sequence[ModelOffer]) -> None:
        """One more worker, with its offers of the model."""
        self.workers += 1
        for offer in offers:
            self._counts[_variant(offer)] += 1
            self._offers.setdefault(_variant(offer), offer)

    def remove(self, offers: Sequence[ModelOffer]) -> None:
        """The worker that was added with these is gone."""
        self.workers -= 1
        for variant in map(_variant, offers):
            self._counts[variant] -= 1
            if not self._counts[variant]:
                del self._counts[variant], self._offers[variant]

    def card(self, created: int) -> ModelCard:
        """The model as it is told: by the offer with the longest context. There must be an offer."""
        best = max(self._offers.values(), key=lambda offer: offer.context_tokens)
        return _readable(
            ModelCard(
                model=best.model,
                kind=best.kind,
                context_tokens=best.context_tokens,
                vocabulary_tokens=best.vocabulary_tokens,
                tool_format=best.tool_format,
                reasoning_format=best.reasoning_format,
                workers=self.workers,
                created=created,
                file_sha256=tuple(sorted({offer.file_sha256 for offer in self._offers.values()})),
            )
        )


_Variant = tuple[str, str, int, int, str, str]


def _variant(offer: ModelOffer) -> _Variant:
    size = offer.context_tokens, offer.vocabulary_tokens
    return offer.file_sha256, offer.kind, *size, offer.tool_format, offer.reasoning_format


class Catalogue:
    """Model cards by name. `remembered` were offered before the start; `created` is the time that clients are told."""

    def __init__(self, *, remembered: tuple[ModelCard, ...], created: int, now: float) -> None:
        self._created = created
        self._entries = {card.model: _Entry(card=_readable(card), seen_at=now) for card in remembered}
        self._offers: dict[WorkerId, dict[ModelId, list[ModelOffer]]] = {}
        self._live: dict[ModelId, _Variants] = {}
        self._changed: dict[ModelId, float] = {}  # when; what that means for the cards is worked out when they are asked for
        self._cards: tuple[ModelCard, ...] = ()
        self._changes_at = -math.inf  # the cards hold until then

    def offered(self, worker: WorkerId, offers: tuple[ModelOffer, ...], now: float) -> None:
        """The worker offers exactly these from now on."""
        mine: dict[ModelId, list[ModelOffer]] = {}
        for offer in offers:
            mine.setdefault(offer.model, []).append(offer)
        before = self._offers.get(worker, {})
        self._offers[worker] = mine
        self._change(before, mine, now)

    def gone(self, worker: WorkerId, now: float) -> None:
        """The worker offers nothing any more."""
        self._change(self._offers.pop(worker, {}), {}, now)

    def card(self, model: ModelId) -> ModelCard | None:
        """What is known of a model, offered or not."""
        self._settle()
        entry = self._entries.get(model)
        return entry.card if entry else None

    def cards(self, now: float) -> tuple[ModelCard, ...]:
        """Offered now or within REMEMBER_S, by name."""
        self._settle()
        if now > self._changes_at:
            self._entries = {model: one for model, one in self._entries.items() if not one.is_over(now)}
            self._cards = tuple(self._entries[model].card for model in sorted(self._entries))
            self._changes_at = min((one.until for one in self._entries.values()), default=math.inf)
        return self._cards

    def _change(
        self, before: Mapping[ModelId, list[ModelOffer]], after: Mapping[ModelId, list[ModelOffer]], now: float
    ) -> None:
        for model, offers in after.items():
            self._live.setdefault(model, _Variants()).add(offers)
        for model, offers in before.items():
            self._live[model].remove(offers)
        for model in {*before, *after}:
            if model in self._entries:
                self._changed[model] = now
            else:
                self._update(model, now)
        if len(self._changed) > MOST_REMEMBERED:
            self._settle()

    def _settle(self) -> None:
        """Work out what has changed."""
        for model, changed_at in self._changed.items():
            self._update(model, changed_at)
        self._changed.clear()

    def _update(self, model: ModelId, now: float) -> None:
        known, live = self._entries.get(model), self._live[model]
        self._changes_at = -math.inf
        if live.workers:
            created = known.card.created if known else self._created
            self._entries[model] = _Entry(card=live.card(created), seen_at=now)
        else:
            del self._live[model]
            if known is not None:
                self._entries[model] = _Entry(card=replace(known.card, workers=0), seen_at=now)
            self._forget()

    def _forget(self) -> None:
        """The longest unseen, when too many are remembered that nobody offers."""
        unseen = [model for model, entry in self._entries.items() if not entry.card.workers]
        for model in sorted(unseen, key=lambda model: self._entries[model].seen_at)[: max(0, len(unseen) - MOST_REMEMBERED)]:
            del self._entries[model]


def _readable(card: ModelCard) -> ModelCard:
    """The card without formats that this pool does not know: a newer worker, or a newer pool before, may have named them."""
    formats = Formats(tool=card.tool_format, reasoning=card.reasoning_format).known
    return replace(card, tool_format=formats.tool, reasoning_format=formats.reasoning)
