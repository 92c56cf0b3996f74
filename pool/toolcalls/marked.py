"""Marks that count only where the model wrote them as one token of its own: what somebody made it repeat is content.

A worker says which of its tokens stand for a mark and puts MARK before each of them in the text (iamine.wire.messages).
The same characters without it were written as ordinary tokens: the reader behind gets them with a neutral character
inside, so that it finds no mark, and what it tells is told without that character.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from iamine.wire.messages import MARK
from pool.toolcalls.jsontext import overlap
from pool.toolcalls.types import Part, Reader, Reasoning

MAX_MARKS = 64  # a worker's own bound; others' lists are cut there
MAX_MARK_CHARACTERS = 64
NEUTRAL = "\ufdd1"  # a noncharacter (Unicode 23.7): no text carries it


class Marked:
    """A reader of marked text in front of a reader of plain text; `marks` are the texts of the worker's marked tokens."""

    def __init__(self, inner: Reader, marks: Sequence[str]) -> None:
        self._inner = inner
        words = sorted((mark for mark in marks[:MAX_MARKS] if 0 < len(mark) <= MAX_MARK_CHARACTERS), key=len, reverse=True)
        self._pattern = re.compile(f"{MARK}?(?:{'|'.join(map(re.escape, words))})", re.DOTALL)
        self._begins = tuple(MARK + word for word in words) + tuple(words)
        self._held = ""

    @property
    def reasoning(self) -> bool:
        """Whether the text is inside reasoning now."""
        return self._inner.reasoning

    @property
    def asides(self) -> int:
        """Rises with reasoning and markup."""
        return self._inner.asides

    def feed(self, text: str) -> list[Part]:
        """Read more text. Returns what is certain by now."""
        self._held += text
        ready, self._held = self._cut()
        return _restored(self._inner.feed(self._neutral(ready))) if ready else []

    def finish(self) -> list[Part]:
        """The text is over."""
        ready, self._held = self._held, ""
        told = _restored(self._inner.feed(self._neutral(ready))) if ready else []
        return told + _restored(self._inner.finish())

    def _cut(self) -> tuple[str, str]:
        """The text at hand, and the end of it that may be the beginning of a mark."""
        cut = len(self._held) - overlap(self._held, self._begins)
        over = (match.end() for match in self._pattern.finditer(self._held) if match.start() < cut < match.end())
        cut = next(over, cut)
        return self._held[:cut], self._held[cut:]

    def _neutral(self, text: str) -> str:
        return self._pattern.sub(_one, text.replace(NEUTRAL, "\ufffd")).replace(MARK, "")


def _one(match: re.Match[str]) -> str:
    """The model's own mark as it is; the same characters of anybody else with NEUTRAL behind the first."""
    found = match[0]
    return found[1:] if found.startswith(MARK) else found[0] + NEUTRAL + found[1:]


def _restored(parts: Sequence[Part]) -> list[Part]:
    return [_plain(part) for part in parts]


def _plain(part: Part) -> Part:
    if isinstance(part, str):
        return part.replace(NEUTRAL, "")
    if isinstance(part, Reasoning):
        return Reasoning(text=part.text.replace(NEUTRAL, ""))
    return replace(part, arguments=part.arguments.replace(NEUTRAL, ""))
