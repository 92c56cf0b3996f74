"""Token bytes -> text that may be shown: whole UTF-8 characters only, stop strings held back. Pure.

The text shown after k tokens is a function of those tokens' bytes alone, so a continued answer knows what was shown by
then; and how the bytes were cut into tokens changes nothing in the text as a whole.
"""

import codecs
from collections.abc import Sequence

from iamine.wire.messages import MARK


class VisibleText:
    """Decodes bytes as they come and keeps back what may still become a character or a stop string.

    Invalid bytes become U+FFFD; the bytes of an unfinished character wait. The stop string that is complete first
    ends the text (of several, the one that began first); neither it nor anything after it is shown.
    """

    def __init__(self, stops: Sequence[str] = (), *, marks: bool = False) -> None:
        self._marks = marks
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stops = tuple(sorted({s for s in stops if s}, key=len, reverse=True))
        self._held = ""
        self.stop: str | None = None

    def feed(self, piece: bytes, *, mark: bool = False) -> str:
        """The text that may be shown now that the token with these bytes was drawn; "" after a stop string.

        `mark`: the token is one of the model's own marks, and has MARK before it.
        """
        if mark:
            unfinished = self._decoded(b"", final=True)
            return self._advance(unfinished + MARK + piece.decode("utf-8", "replace"), final=False)
        return self._advance(self._decoded(piece), final=False)

    def _decoded(self, piece: bytes, *, final: bool = False) -> str:
        """Where marks are told apart nobody else writes MARK."""
        text = self._decoder.decode(piece, final)
        return text.replace(MARK, "\ufffd") if self._marks else text

    def finish(self) -> str:
        """The rest, at the end of the answer: nothing waits any more. A second call gives ""."""
        return self._advance(self._decoded(b"", final=True), final=True)

    def _advance(self, decoded: str, *, final: bool) -> str:
        if self.stop is not None:
            return ""
        if not self._stops:
            return decoded
        for at, character in enumerate(decoded):
            self._held += character
            self.stop = next((s for s in self._stops if self._held.endswith(s)), None)
            if self.stop is not None:
                return self._take(len(self._held) - len(self.stop), drop=decoded[at:])
        return self._take(len(self._held) - (0 if final else _possible_start(self._held, self._stops)))

    def _take(self, count: int, *, drop: str = "") -> str:
        """The first `count` characters held; the rest stays, or goes when a stop string was found (`drop` is not "")."""
        shown, self._held = self._held[:count], "" if drop else self._held[count:]
        return shown


def _possible_start(text: str, stops: Sequence[str]) -> int:
    """Length of the longest tail of the text with which a stop string may begin."""
    return max((n for s in stops for n in range(1, min(len(s), len(text) + 1)) if s.startswith(text[-n:])), default=0)
