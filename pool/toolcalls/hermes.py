"""Hermes, Qwen 2.5 and 3, Granite 4, mote: `<tool_call>` {"name": …, "arguments": {…}} `</tool_call>`."""

from pool.toolcalls.blocks import Format
from pool.toolcalls.jsontext import find, outside_strings, read_call
from pool.toolcalls.types import Tools, Wanted

OPEN, CLOSE = "<tool_call>", "</tool_call>"
_CLOSE = outside_strings([CLOSE])


def _end(text: str, start: int) -> int:
    """Behind the closing mark; one inside a JSON string does not count."""
    if CLOSE not in text:  # the usual answer, at C speed
        return -1
    match = next(find(_CLOSE, text, start), None)
    return match.end() if match else -1


def _read(inside: str, _tools: Tools) -> list[Wanted] | None:
    return read_call(inside.removesuffix(CLOSE))


HERMES = Format(mark=OPEN, wakes=frozenset(">"), end=_end, read=_read)
