"""The models that the pool can name."""

from fakes.hub import card

from iamine.ids import ModelId, WorkerId
from iamine.wire.messages import ModelOffer
from pool.hub.catalogue import REMEMBER_S, Catalogue

WORKER = WorkerId("wrk_1")


def offer(**changes: str) -> ModelOffer:
    return ModelOffer(
        model=ModelId("m"),
        file_sha256="ab",
        slots=1,
        context_tokens=9,
        vocabulary_tokens=9,
        **changes,  # type: ignore[arg-type]
    )


def test_a_card_names_its_formats_and_stays_a_while() -> None:
    catalogue = Catalogue(remembered=(), created=5, now=0.0)
    catalogue.offered(WORKER, (offer(tool_format="qwen-coder", reasoning_format="think"),), 1.0)
    (told,) = catalogue.cards(1.0)
    assert (told.tool_format, told.reasoning_format, told.workers, told.created) == ("qwen-coder", "think", 1, 5)
    catalogue.gone(WORKER, 2.0)
    assert [(known.reasoning_format, known.workers) for known in catalogue.cards(3.0)] == [("think", 0)]
    assert catalogue.cards(3.0 + REMEMBER_S) == ()


def test_formats_that_this_pool_does_not_know_are_none() -> None:
    strange = card(tool_format="smoke", reasoning_format="dreams")
    catalogue = Catalogue(remembered=(strange,), created=5, now=0.0)
    catalogue.offered(WORKER, (offer(tool_format="smoke", reasoning_format="dreams"),), 1.0)
    assert [(known.tool_format, known.reasoning_format) for known in catalogue.cards(1.0)] == [("", ""), ("", "")]
