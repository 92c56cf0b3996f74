"""The models that the pool can name."""

from fakes.hub import card
from msgspec.structs import replace

from iamine.ids import ModelId, WorkerId
from iamine.wire.messages import ModelOffer
from pool.hub.catalogue import MOST_REMEMBERED, REMEMBER_S, Catalogue

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


def test_a_worker_that_offers_another_name_each_moment_is_not_remembered_for_all_of_them() -> None:
    catalogue = Catalogue(remembered=(), created=5, now=0.0)
    for number in range(MOST_REMEMBERED + 100):
        named = replace(offer(), model=ModelId(f"m{number:05}"))
        catalogue.offered(WORKER, (named,), float(number) / 10)
    told = [known.model for known in catalogue.cards(60.0)]
    assert len(told) == MOST_REMEMBERED + 1
    assert (told[0], told[-1]) == ("m00099", f"m{MOST_REMEMBERED + 99:05}")


def test_workers_may_come_and_go_between_two_looks() -> None:
    catalogue = Catalogue(remembered=(), created=5, now=0.0)
    catalogue.offered(WORKER, (offer(),), 1.0)
    catalogue.gone(WORKER, 2.0)
    assert [card.workers for card in catalogue.cards(3.0)] == [0]
    for time in (4.0, 5.0):
        catalogue.offered(WORKER, (offer(),), time)
        catalogue.offered(WorkerId("wrk_2"), (offer(),), time)
        catalogue.gone(WORKER, time)
    assert [card.workers for card in catalogue.cards(5.0)] == [1]
    catalogue.gone(WorkerId("wrk_2"), 6.0)
    assert [card.workers for card in catalogue.cards(6.0 + REMEMBER_S)] == [0]
    assert catalogue.cards(6.1 + REMEMBER_S) == ()
