"""What outlives a link: remembered until it is written down."""

from iamine.ids import ModelId, WorkerId
from iamine.wire.messages import ModelOffer
from pool.routing import kept
from pool.routing.choose import NS
from pool.routing.index import Place
from pool.routing.kept import Away, Owed

OFFER = ModelOffer(model=ModelId("m"), file_sha256="f", slots=1, context_tokens=9, vocabulary_tokens=9)
W = WorkerId("w"), "f"


def place(deficit_s: float, name: str = "w") -> Place:
    return Place(WorkerId(name), OFFER, round(deficit_s * NS))


def owed(deficit_s: float, name: str = "w") -> Owed:
    return Owed(worker=WorkerId(name), file_sha256="f", deficit_s=deficit_s)


def test_who_was_never_here_starts_at_nothing_and_may_be_restored_once() -> None:
    away = Away()
    assert away.back(W) == 0
    assert (away.is_new(W), away.is_new(W)) == (True, False)


def test_who_comes_back_before_it_was_written_has_what_it_left_with() -> None:
    away = Away()
    away.left(W, place(5.0))
    assert away.owed({}) == (owed(5.0),)
    assert away.back(W) == 5 * NS
    assert not away.is_new(W)
    assert away.owed({}) == ()


def test_only_what_moved_is_written_again() -> None:
    away, here = Away(), place(5.0)
    assert away.owed({W: here.deficit_ns}) == (owed(5.0),)
    away.written([owed(5.0)])
    here.shift(NS // 2)
    assert away.owed({W: here.deficit_ns}) == ()
    here.shift(NS // 2)
    assert away.owed({W: here.deficit_ns}) == (owed(6.0),)
    away.left(W, here)
    away.written([owed(6.0)])
    assert away.owed({}) == () and away.back(W) == 0


def test_the_memory_is_bounded() -> None:
    away = Away()
    for number in range(kept.MOST_AWAY + 1):
        away.left((WorkerId(f"w{number}"), "f"), place(1.0))
    assert away.back((WorkerId("w0"), "f")) == 0
    assert away.back((WorkerId("w1"), "f")) == NS
