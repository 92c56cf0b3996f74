"""Hermes, Qwen 2.5 and 3, Granite 4, mote: `<tool_call>` {"name": …, "arguments": {…}} `</tool_call>`."""

from pool.toolcalls.blocks import End, Format
from pool.toolcalls.jsontext import Marks, outside_strings, read_call
from pool.toolcalls.types import Tools, Wanted

OPEN, CLOSE = "<tool_call>", "</tool_call>"
_CLOSE = outside_strings([CLOSE])


def _ends() -> End:
    """Behind the closing mark; one inside a JSON string does not count."""
    marks = Marks(_CLOSE)

    def end(text: str, start: int) -> int:
        match = marks.next(text, start)
        return match.end() if match else -1

    return end


def _read(inside: str, _tools: Tools) -> list[Wanted] | None:
    return read_call(inside.removesuffix(CLOSE))


HERMES = Format(mark=OPEN, wakes=frozenset(">"), ends=_ends, read=_read)
