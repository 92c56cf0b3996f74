"""Which models go when the disk is full."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.agent.fetch.room import RESERVE_BYTES, Kept, make_room

GB = 10**9
OLD, NEW = (Kept(sha256=name, size_bytes=4 * GB, used_at=at) for name, at in (("old", 1.0), ("new", 2.0)))


def test_with_room_nothing_goes() -> None:
    assert make_room(4 * GB, 4 * GB + RESERVE_BYTES, [OLD, NEW], ()).remove == ()


def test_the_one_used_longest_ago_goes_first_and_no_more_than_needed() -> None:
    assert make_room(4 * GB, 4 * GB, [NEW, OLD], ()).remove == (OLD,)
    assert make_room(9 * GB, 4 * GB, [NEW, OLD], ()).remove == (OLD, NEW)


def test_what_is_needed_stays() -> None:
    assert make_room(4 * GB, 4 * GB, [OLD, NEW], {"old"}).remove == (NEW,)
    assert not make_room(4 * GB, 4 * GB, [OLD], {"old"}).enough


def test_when_it_cannot_be_nothing_goes_and_the_reason_is_told() -> None:
    room = make_room(40 * GB, GB, [OLD, NEW], ())
    assert (room.enough, room.remove) == (False, ())
    assert "needs 40.0 GB of disk and 1.1 GB to spare, 1.0 GB are free" in room.reason


KEPT = st.lists(st.builds(Kept, sha256=st.text(max_size=3), size_bytes=st.integers(0, 10 * GB), used_at=st.floats(0, 10)))


@given(st.integers(0, 50 * GB), st.integers(0, 50 * GB), KEPT, st.sets(st.text(max_size=3)))
def test_room_is_made_and_never_by_what_is_needed(need: int, free: int, kept: list[Kept], needed: set[str]) -> None:
    room = make_room(need, free, kept, needed)
    assert not {each.sha256 for each in room.remove} & needed
    gained = free + sum(each.size_bytes for each in room.remove)
    assert not room.enough or gained >= need + RESERVE_BYTES
    assert room.enough or room.reason
