"""Calls that stand in the text as blocks behind an opening mark; white space around them belongs to them."""

from collections.abc import Callable
from dataclasses import dataclass

from pool.toolcalls.jsontext import overlap
from pool.toolcalls.types import Calls, Part, Tools, Wanted

End = Callable[[str, int], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How a family writes its blocks.

    `ends` makes a function for one block: (text, where the inside starts) -> where the block is over, or -1 while it is
    not. It may remember what it has read, since the text only grows, and needs to be asked only when one of the characters
    `wakes` came in. `read` tells the calls of an inside, None for nonsense.
    """

    mark: str
    wakes: frozenset[str]
    ends: Callable[[], End]
    read: Callable[[str, Tools], list[Wanted] | None]


class Blocks:
    """Reads content and blocks. What opens like a block but is none is given back as content."""

    reasoning = False
    asides = 0

    def __init__(self, form: Format, calls: Calls) -> None:
        self._form = form
        self._calls = calls
        self._held = ""
        self._inside = False
        self._end = form.ends()
        self._edge = True  # at the start or behind a call, where white space waits

    def feed(self, text: str) -> list[Part]:
        """Read more text. Returns what is certain by now."""
        self._held += text
        if self._inside and self._form.wakes.isdisjoint(text):
            return []
        parts: list[Part] = []
        while (told := self._block() if self._inside else self._content()) is not None:
            parts += told
        return parts

    def finish(self) -> list[Part]:
        """The text is over: a block that lacks only its end counts, everything else held back is content."""
        held, self._held = self._held, ""
        made = self._made(held.partition(self._form.mark)[2]) if self._inside else None
        if made is not None:
            return made
        blank = self._calls.count > 0 and self._edge and not held.strip()
        return [held] if held and not blank else []

    def _content(self) -> list[Part] | None:
        """Text up to an opening mark, less what may be the beginning of one."""
        at = self._held.find(self._form.mark)
        shown = self._held[: at if at >= 0 else len(self._held) - overlap(self._held, (self._form.mark,))]
        if at >= 0:
            self._inside, self._end = True, self._form.ends()
        if self._edge and not shown.strip():
            # white space waits with the mark: it is dropped with a call, and told with anything else
            return [] if self._inside else None
        self._held = self._held[len(shown) :]
        self._edge = False
        if shown:
            return [shown]
        return [] if self._inside else None

    def _block(self) -> list[Part] | None:
        start = self._held.index(self._form.mark) + len(self._form.mark)
        end = self._end(self._held, start)
        if end < 0:
            return None
        block, self._held = self._held[:end], self._held[end:]
        self._inside = False
        made = self._made(block[start:])
        self._edge = made is not None
        return [block] if made is None else made

    def _made(self, inside: str) -> list[Part] | None:
        made = self._calls.made(self._form.read(inside, self._calls.tools))
        return None if made is None else list(made)
