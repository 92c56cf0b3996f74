"""The room for bodies: large ones share it, small ones are never refused, and all of it is free in the end."""

import pytest

from pool.api.room import SMALL_BYTES, Room
from pool.errors import Unavailable


def test_large_bodies_share_the_room_and_give_it_back() -> None:
    room = Room(1000)
    first, second, small = room.hold(), room.hold(), room.hold()
    first.grow(SMALL_BYTES + 400)
    first.grow(SMALL_BYTES + 900)
    second.grow(SMALL_BYTES + 100)
    with pytest.raises(Unavailable) as caught:
        second.grow(SMALL_BYTES + 101)
    assert caught.value.retry_after_s
    small.grow(SMALL_BYTES)
    small.free()
    second.free()
    assert room.left_bytes == 100
    for _ in range(2):
        first.free()
    assert room.left_bytes == 1000
