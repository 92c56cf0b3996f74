"""An answer that a grammar made, of two kinds: one call of a tool as a bare JSON object, or content in the format asked for."""

from pool.toolcalls.jsontext import read_call
from pool.toolcalls.types import Calls, Part

_OPENING = '{"name":"'


class Bare:
    """Holds the text back while it may still become a call; content is told as it comes.

    A format whose own objects begin like a call of one of the tools cannot be told apart from it: it is taken for a call.
    """

    reasoning = False
    asides = 0

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._heads = tuple(f'{_OPENING}{name}","arguments":' for name in calls.tools.schemas)
        self._held = ""
        self._is_content = False

    def feed(self, text: str) -> list[Part]:
        """Read more text. Returns what is certain by now."""
        if self._is_content:
            return [text] if text else []
        self._held += text
        if self._may_be_a_call():
            return []
        self._is_content = True
        return self._rest()

    def finish(self) -> list[Part]:
        """The text is over: a whole call, or whatever was held back."""
        made = None if self._is_content else self._calls.made(read_call(self._held))
        if made is None:
            return self._rest()
        self._held = ""
        return list(made)

    def _rest(self) -> list[Part]:
        held, self._held = self._held, ""
        return [held] if held else []

    def _may_be_a_call(self) -> bool:
        """Whether the text begins like a call, or is the beginning of such a beginning; white space is the grammar's own."""
        longest = max(map(len, self._heads), default=0)
        begin = "".join(self._held[: 4 * longest].split())[:longest]
        return any(begin.startswith(head) or head.startswith(begin) for head in self._heads)
