"""The choice of a worker, by its definition: near the best expected wait, whoever is owed most."""

from hypothesis import given
from hypothesis import strategies as st

from iamine.ids import WorkerId
from pool.routing.choose import NEAR_TIE_NS, NS, Candidate, band_s, choose


def candidate(name: str, wait_s: float, *, deficit_s: float = 0.0, cached: int = 0) -> Candidate:
    return Candidate(worker=WorkerId(name), wait_s=wait_s, deficit_ns=round(deficit_s * NS), cached_tokens=cached)


CANDIDATES = st.builds(
    candidate,
    st.text("abc", min_size=1, max_size=3),
    st.floats(0, 100),
    deficit_s=st.floats(-600, 600),
    cached=st.sampled_from((0, 0, 64)),
)


def chosen(*candidates: Candidate) -> str | None:
    found = choose(candidates)
    return None if found is None else str(found.worker)


def test_nobody_is_chosen_from_nobody() -> None:
    assert chosen() is None


def test_the_band_is_a_second_or_a_quarter_of_the_best_wait() -> None:
    assert (band_s(0.5), band_s(4.0), band_s(20.0)) == (1.5, 5.0, 25.0)


def test_near_the_best_wait_the_largest_deficit_wins_and_beyond_it_none_does() -> None:
    assert (
        chosen(candidate("best", 10.0), candidate("owed", 12.5, deficit_s=5), candidate("far", 12.6, deficit_s=500)) == "owed"
    )


def test_a_cached_prompt_breaks_a_near_tie() -> None:
    tie_s = NEAR_TIE_NS / NS
    assert chosen(candidate("owed", 1.0, deficit_s=tie_s), candidate("kept", 1.0, cached=64)) == "kept"
    assert chosen(candidate("owed", 1.0, deficit_s=tie_s + 1), candidate("kept", 1.0, cached=64)) == "owed"
    assert chosen(candidate("more", 1.0, cached=128), candidate("less", 1.0, deficit_s=1, cached=64)) == "more"


def test_among_equals_the_shorter_wait_is_chosen_then_the_first_by_name() -> None:
    assert chosen(candidate("b", 1.0), candidate("c", 0.9)) == "c"
    assert chosen(candidate("b", 1.0), candidate("a", 1.0)) == "a"


@given(st.lists(CANDIDATES, min_size=1, max_size=6))
def test_the_chosen_one_is_near_the_best_wait_and_nobody_there_is_owed_much_more(candidates: list[Candidate]) -> None:
    found = choose(candidates)
    assert found is not None
    limit_s = band_s(min(one.wait_s for one in candidates))
    assert found.wait_s <= limit_s
    assert all(one.deficit_ns <= found.deficit_ns + NEAR_TIE_NS for one in candidates if one.wait_s <= limit_s)
