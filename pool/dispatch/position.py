"""How far a client has read: the ids of a resumable stream's events, and the search for that place in an answer told again.

An id is `job:tokens:hash32(what was shown)`; with several choices the last two hold one part for each, joined by dots.
The hash does not depend on how the text was cut into events; another text never passes for the one that was shown.
"""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import structs

from iamine.ids import JobId
from iamine.wire.messages import TokenLogprob
from pool.dispatch.events import ChoiceDelta
from pool.errors import ResumeMismatch

_ID = re.compile(r"([\w.-]{1,80}):(\d{1,9}(?:\.\d{1,9})*):([0-9a-f]{8}(?:\.[0-9a-f]{8})*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How far one choice was read: its tokens then, and the CRC-32 of all that was shown of it.

    Tokens that come at once may show several things one after the other, so the place is at `tokens` or before.
    """

    tokens: int
    crc: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far an answer was read: a place in each of its choices."""

    job: JobId
    places: tuple[Place, ...]

    def text(self) -> str:
        """As the event's id."""
        tokens = ".".join(str(place.tokens) for place in self.places)
        return f"{self.job}:{tokens}:{'.'.join(f'{place.crc:08x}' for place in self.places)}"


def read_position(text: str) -> Position | None:
    """The position that an event's id tells, None for other texts."""
    match = _ID.fullmatch(text)
    if match is None:
        return None
    tokens, crcs = match[2].split("."), match[3].split(".")
    if len(tokens) != len(crcs):
        return None
    places = tuple(Place(tokens=int(count), crc=int(crc, 16)) for count, crc in zip(tokens, crcs, strict=True))
    return Position(job=JobId(match[1]), places=places)


class Trace:
    """The running hash of what is shown of a choice."""

    __slots__ = ("_kind", "crc")

    def __init__(self) -> None:
        self.crc = 0
        self._kind = ""

    def add(self, delta: ChoiceDelta) -> None:
        """More is shown."""
        if delta.call is not None:
            self._text("call", f"{delta.call.name}\0{delta.call.arguments}")
            self._kind = ""
        elif delta.reasoning:
            self._text("reasoning", delta.reasoning)
        elif delta.content:
            self._text("content", delta.content)

    def _text(self, kind: str, text: str) -> None:
        if kind != self._kind:
            self.crc, self._kind = zlib.crc32(b"\0" + kind.encode() + b"\0", self.crc), kind
        self.crc = zlib.crc32(text.encode(), self.crc)


class Seek:
    """Finds one choice's place. Until then what comes was seen already; afterwards everything is new."""

    def __init__(self, place: Place | None) -> None:
        self._place = place
        self._reached: int | None = None
        self.trace = Trace()

    @property
    def found(self) -> bool:
        """Whether what comes now is new."""
        return self._place is None

    def split(self, delta: ChoiceDelta, tokens: int) -> tuple[ChoiceDelta | None, ChoiceDelta | None]:
        """What of the delta was seen, and what is new; the choice has `tokens` tokens by now. Raises ResumeMismatch."""
        place = self._place
        if place is not None and self.trace.crc == place.crc:
            self._place = place = None
        if place is None:
            self.trace.add(delta)
            return None, delta
        if self._reached is not None and tokens > self._reached:
            raise _mismatch()
        if tokens >= place.tokens:
            self._reached = tokens
        return self._within(delta, place)

    def ended(self) -> None:
        """The choice is whole. Raises ResumeMismatch if the place was not in it."""
        if self._place is not None and self.trace.crc != self._place.crc:
            raise _mismatch()
        self._place = None

    def _within(self, delta: ChoiceDelta, place: Place) -> tuple[ChoiceDelta | None, ChoiceDelta | None]:
        """The place may be in this delta."""
        text = delta.reasoning or delta.content
        for end in range(1, len(text)):
            if delta.call is not None:
                break
            self.trace.add(_piece(delta, text[end - 1 : end]))
            if self.trace.crc == place.crc:
                self._place = None
                seen, new = _cut(delta, end)
                self.trace.add(new)
                return seen, new
        self.trace.add(delta if delta.call is not None else _piece(delta, text[-1:]))
        return delta, None


def _piece(delta: ChoiceDelta, text: str) -> ChoiceDelta:
    return structs.replace(delta, reasoning=text) if delta.reasoning else structs.replace(delta, content=text)


def _cut(delta: ChoiceDelta, end: int) -> tuple[ChoiceDelta, ChoiceDelta]:
    """The delta in two; a token's log probability goes with the part in which its bytes begin."""
    text = delta.reasoning or delta.content
    size, begin, count = len(text[:end].encode()), 0, 0
    logprobs: Sequence[TokenLogprob] = delta.logprobs
    while count < len(logprobs) and begin < size:
        begin += len(logprobs[count].bytes)
        count += 1
    seen = structs.replace(_piece(delta, text[:end]), logprobs=tuple(logprobs[:count]))
    return seen, structs.replace(_piece(delta, text[end:]), logprobs=tuple(logprobs[count:]))


def _mismatch() -> ResumeMismatch:
    return ResumeMismatch(
        "What you have of this answer is not how it goes on here.",
        hint="Drop it, and send the request again with the same Idempotency-Key but without Last-Event-ID.",
    )
