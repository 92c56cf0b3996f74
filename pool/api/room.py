"""How much memory all requests' bodies may take together: many large ones at once would end the pool for everybody."""

from pool.errors import Unavailable

SMALL_BYTES = 64 * 1024  # of each body; so much is never refused


class Hold:
    """What one request has taken."""

    def __init__(self, room: "Room") -> None:
        self._room = room
        self.taken_bytes = 0

    def grow(self, size_bytes: int) -> None:
        """The body has this size by now. Raises Unavailable when there is no room for it."""
        more = max(0, size_bytes - SMALL_BYTES) - self.taken_bytes
        if more > self._room.left_bytes:
            raise Unavailable("Too many large requests are under way.", hint="Send this one again in a few seconds.")
        self._room.left_bytes -= more
        self.taken_bytes += more

    def free(self) -> None:
        """The request is over."""
        self._room.left_bytes += self.taken_bytes
        self.taken_bytes = 0


class Room:
    """The memory for bodies, in bytes."""

    def __init__(self, size_bytes: int) -> None:
        self.left_bytes = size_bytes

    def hold(self) -> Hold:
        """For one request, which frees it in the end."""
        return Hold(self)
