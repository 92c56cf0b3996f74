"""One worker's link as the hub holds it: the session's state, and a socket to answer on."""

from dataclasses import dataclass, field
from typing import Protocol

from iamine.ids import SessionId, WorkerId
from iamine.wire.codec import encode
from iamine.wire.messages import Goodbye, Hardware, Message, ModelOffer
from iamine.wire.session import PoolSession, State

HELLO_LIMIT_S = 10.0  # from connect to an accepted hello


class Socket(Protocol):
    """Where frames to a worker go. Neither call blocks; a socket that cannot keep up closes itself."""

    def send(self, frame: bytes) -> None: ...

    def close(self) -> None: ...


@dataclass(slots=True, eq=False)
class Link:
    """A connection from a worker, from its first byte to its end."""

    socket: Socket
    session: PoolSession
    opened_at: float
    id: SessionId
    name: str = ""
    hardware: Hardware | None = None
    offers: dict[str, ModelOffer] = field(default_factory=dict)
    ended: bool = False
    speaks: frozenset[str] = frozenset()  # tags of later messages that it understands
    moving: bool = False  # it said that it will serve another model soon
    resting: bool = False  # its owner keeps the machine for himself

    @property
    def worker(self) -> WorkerId | None:
        """Who is there, once proven and welcomed."""
        return self.session.worker if self.session.state is State.OPEN and not self.ended else None

    def offer(self, offers: tuple[ModelOffer, ...]) -> None:
        """What the worker serves from now on."""
        self.offers = {offer.file_sha256: offer for offer in offers}

    def send(self, message: Message) -> None:
        """One frame, unless the link is over. Raises TooLarge."""
        if not self.ended:
            self.socket.send(encode(message))

    def end(self, code: str, reason: str, *, retry_after_s: float = 0.0) -> None:
        """Say why and close. Repeating it is harmless."""
        if not self.ended:
            self.send(Goodbye(code=code, reason=reason, retry_after_s=retry_after_s))
            self.ended = True
            self.socket.close()
