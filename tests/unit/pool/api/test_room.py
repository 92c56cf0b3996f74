"""The room for bodies: large ones share it, small ones are never refused, and all of it is free in the end."""

import pytest

from pool.api.room import SMALL_BYTES, Room
from pool.errors import Unavailable


def test_large_bodies_share_the_room_and_give_it_back() -> None:
    room = Room(1000)
    with room.hold() as first:
        first.grow(SMALL_BYTES + 400)
        first.grow(SMALL_BYTES + 900)
        with room.hold() as second:
            second.grow(SMALL_BYTES + 100)
            with pytest.raises(Unavailable) as caught:
                second.grow(SMALL_BYTES + 101)
            assert caught.value.retry_after_s
            with room.hold() as small:
                small.grow(SMALL_BYTES)
        assert room.left_bytes == 100
    assert room.left_bytes == 1000
