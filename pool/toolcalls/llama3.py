"""Llama 3: a message that is nothing but {"name": …, "parameters": {…}}, also behind `<|python_tag|>`."""

from typing import Any

from pool.toolcalls.jsontext import NOT_A_CALL, call_of, called, values
from pool.toolcalls.types import Calls, Part, Wanted

TAG = "<|python_tag|>"


class Llama3:
    """Reads a message that is a call, or several; any other is content.

    A message that begins like one is held to its end: only that shows whether something else follows.
    """

    reasoning = False
    asides = 0

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._held: list[str] = []
        self._begin = ""  # the text so far, until it is decided
        self._decided = self._plain = False

    def feed(self, text: str) -> list[Part]:
        """Read more text. Returns what is certain by now."""
        if self._plain:
            return [text] if text else []
        self._held.append(text)
        if self._decided:
            return []
        self._begin += text
        begin = self._begin.lstrip()
        self._decided = begin.startswith(("{", TAG))
        if self._decided or TAG.startswith(begin):
            return []
        self._plain = True
        return [self._begin]

    def finish(self) -> list[Part]:
        """The text is over."""
        if self._plain:
            return []
        text = "".join(self._held)
        made = self._calls.made(_read(text.strip().removeprefix(TAG)))
        if made is not None:
            return list(made)
        return [text] if text else []


def _read(text: str) -> list[Wanted] | None:
    try:
        return [_call(value) for value in values(text)]
    except NOT_A_CALL:
        return None


def _call(value: Any) -> Wanted:
    """Some write {"type": "function", "function": "the name", …}."""
    return called(value["function"], value["parameters"]) if "function" in value else call_of(value)
