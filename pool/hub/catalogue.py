"""Which models the pool can name: offered now, or a short while ago (also before the pool's own restart)."""

from dataclasses import dataclass, replace

from iamine.ids import ModelId, WorkerId
from iamine.wire.messages import ModelOffer
from pool.routing.types import ModelCard
from pool.toolcalls.formats import Formats

REMEMBER_S = 600.0  # a model whose last worker left is listed this long: workers come and go


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    card: ModelCard
    seen_at: float


class Catalogue:
    """Model cards by name. `remembered` were offered before the start; `created` is the time that clients are told."""

    def __init__(self, *, remembered: tuple[ModelCard, ...], created: int, now: float) -> None:
        self._created = created
        self._entries = {card.model: _Entry(card=_readable(card), seen_at=now) for card in remembered}
        self._offers: dict[WorkerId, tuple[ModelOffer, ...]] = {}

    def offered(self, worker: WorkerId, offers: tuple[ModelOffer, ...], now: float) -> None:
        """The worker offers exactly these from now on."""
        before = self._offers.get(worker, ())
        self._offers[worker] = offers
        for model in {offer.model for offer in (*before, *offers)}:
            self._update(model, now)

    def gone(self, worker: WorkerId, now: float) -> None:
        """The worker offers nothing any more."""
        for model in {offer.model for offer in self._offers.pop(worker, ())}:
            self._update(model, now)

    def cards(self, now: float) -> tuple[ModelCard, ...]:
        """Offered now or within REMEMBER_S, by name."""
        for model, entry in list(self._entries.items()):
            if not entry.card.workers and now - entry.seen_at > REMEMBER_S:
                del self._entries[model]
        return tuple(self._entries[model].card for model in sorted(self._entries))

    def _update(self, model: ModelId, now: float) -> None:
        offers = [offer for held in self._offers.values() for offer in held if offer.model == model]
        if not offers:
            entry = self._entries[model]
            self._entries[model] = _Entry(card=replace(entry.card, workers=0), seen_at=now)
            return
        known = self._entries.get(model)
        best = max(offers, key=lambda offer: offer.context_tokens)
        workers = sum(any(offer.model == model for offer in held) for held in self._offers.values())
        self._entries[model] = _Entry(
            seen_at=now,
            card=_readable(
                ModelCard(
                    model=model,
                    kind=best.kind,
                    context_tokens=best.context_tokens,
                    vocabulary_tokens=best.vocabulary_tokens,
                    tool_format=best.tool_format,
                    reasoning_format=best.reasoning_format,
                    workers=workers,
                    created=known.card.created if known else self._created,
                    file_sha256=tuple(sorted({offer.file_sha256 for offer in offers})),
                )
            ),
        )


def _readable(card: ModelCard) -> ModelCard:
    """The card without formats that this pool does not know: a newer worker, or a newer pool before, may have named them."""
    formats = Formats(tool=card.tool_format, reasoning=card.reasoning_format).known
    return replace(card, tool_format=formats.tool, reasoning_format=formats.reasoning)
