"""Mistral: `[TOOL_CALLS]` and an array of calls, or `[TOOL_CALLS]name[ARGS]{…}` once for each call."""

import re

from pool.toolcalls.blocks import End, Format
from pool.toolcalls.jsontext import NOT_A_CALL, Marks, call_of, called, loads, outside_strings
from pool.toolcalls.types import Tools, Wanted

OPEN = "[TOOL_CALLS]"
_HEAD = re.compile(r"\s*([^\s\[\]{}]+)(?:\[CALL_ID\][^\s\[\]{}]*)?\[ARGS\]\s*")
_BRACKETS = outside_strings("{}[]")


def _ends() -> End:
    """Behind the array or object; in front of what makes it neither."""
    bracket = _Bracket()

    def end(text: str, start: int) -> int:
        inside = text[start:].lstrip()
        if inside.startswith("[") and not inside.startswith(OPEN):
            return -1 if OPEN.startswith(inside) else bracket.closed(text, text.index("[", start))
        brace, mark = text.find("{", start), text.find(OPEN, start)
        if mark >= 0 and not 0 <= brace < mark:
            return mark
        if brace < 0:
            return -1
        return bracket.closed(text, brace) if _HEAD.fullmatch(text, start, brace) else brace

    return end


class _Bracket:
    """Where the first bracket is closed."""

    def __init__(self) -> None:
        self._marks = Marks(_BRACKETS)
        self._depth = 0

    def closed(self, text: str, start: int) -> int:
        """Behind the bracket that closes the one at `start`, or -1."""
        while match := self._marks.next(text, start):
            self._depth += 1 if match["mark"] in "{[" else -1
            if self._depth == 0:
                return match.end()
        return -1


def _read(inside: str, _tools: Tools) -> list[Wanted] | None:
    head = _HEAD.match(inside)
    try:
        if head:
            return [called(head[1], loads(inside[head.end() :]))]
        return [call_of(value) for value in loads(inside)]
    except NOT_A_CALL:
        return None


MISTRAL = Format(mark=OPEN, wakes=frozenset("{}[]"), ends=_ends, read=_read)
