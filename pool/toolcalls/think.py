"""Reasoning between `<think>` and `</think>` at the very start of an answer; what follows is another reader's.

The mark opens only as the first thing of the text, and the first closing mark behind it ends the reasoning: both are
content anywhere else. `opened`: the prompt ended with the opening mark (the worker tells), so the text begins inside.
White space around the reasoning is dropped.
"""

from typing import Literal

from pool.toolcalls.jsontext import overlap
from pool.toolcalls.types import Part, Reader, Reasoning

OPEN, CLOSE = "<think>", "</think>"


class Think:
    """Reads the reasoning, and hands the rest to `inner`."""

    def __init__(self, inner: Reader, *, opened: bool) -> None:
        self._inner = inner
        self._held = ""
        self._at: Literal["start", "inside", "behind", "content"] = "inside" if opened else "start"
        self._bare = True  # nothing of the reasoning was told yet
        self._asides = int(opened)

    @property
    def reasoning(self) -> bool:
        """Whether the text is inside reasoning now."""
        return self._at == "inside"

    @property
    def asides(self) -> int:
        """How often reasoning or its marks were read."""
        return self._asides + self._inner.asides

    def feed(self, text: str) -> list[Part]:
        """Read more text. Returns what is certain by now."""
        if self._at == "content":
            return self._inner.feed(text)
        self._held += text
        parts: list[Part] = []
        if self._at == "start":
            self._open()
        if self._at == "inside":
            parts += self._think()
        if self._at == "behind":
            self._asides += 1
            self._held = self._held.lstrip()
            self._at = "content" if self._held else "behind"
        if self._at == "content":
            held, self._held = self._held, ""
            parts += self._inner.feed(held)
        return parts

    def finish(self) -> list[Part]:
        """The text is over: reasoning that was cut off is reasoning."""
        held, self._held = self._held, ""
        if self._at == "inside":
            return [*self._told(held), *self._inner.finish()]
        return [*self._inner.feed(held), *self._inner.finish()]

    def _open(self) -> None:
        begin = self._held.lstrip()
        if begin.startswith(OPEN):
            self._at, self._held, self._asides = "inside", begin[len(OPEN) :], self._asides + 1
        elif not OPEN.startswith(begin):
            self._at = "content"

    def _think(self) -> list[Part]:
        """Reasoning up to the closing mark; white space and what may be the beginning of the mark wait."""
        at = self._held.find(CLOSE)
        if at >= 0:
            thought, self._held = self._held[:at], self._held[at + len(CLOSE) :]
            self._at = "behind"
            return self._told(thought)
        shown = self._held[: len(self._held) - overlap(self._held, (CLOSE,))].rstrip()
        self._held = self._held[len(shown) :]
        return self._told(shown)

    def _told(self, thought: str) -> list[Part]:
        thought = thought.rstrip()
        thought = thought.lstrip() if self._bare else thought
        self._bare = self._bare and not thought
        self._asides += 1
        return [Reasoning(text=thought)] if thought else []
