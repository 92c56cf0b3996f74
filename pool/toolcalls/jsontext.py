"""JSON in raw text: calls written as objects, and marks that stand outside of strings."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

from pool.toolcalls.types import Wanted

NOT_A_CALL = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
_STRING = r'"[^"\\]*(?:\\.[^"\\]*)*(?P<closed>")?'


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def loads(text: str) -> Any:
    """The JSON value. Raises ValueError or RecursionError, for NaN and infinities too."""
    return json.loads(text, parse_constant=_no_constant)


def values(text: str) -> Iterator[Any]:
    """JSON values one after the other, with white space or semicolons between them. Raises as `loads`."""
    at = _behind_gap(text, 0)
    while at < len(text):
        value, at = _DECODER.raw_decode(text, at)
        yield value
        at = _behind_gap(text, at)


def _behind_gap(text: str, at: int) -> int:
    while at < len(text) and (text[at] == ";" or text[at].isspace()):
        at += 1
    return at


def call_of(value: Any) -> Wanted:
    """The call that an object with `name` and `arguments` (or `parameters`) writes. Raises one of NOT_A_CALL."""
    given = value["arguments"] if "arguments" in value else value.get("parameters", {})
    return called(value["name"], given)


def called(name: Any, arguments: Any) -> Wanted:
    """The call of this name with these arguments, an object or its text. Raises one of NOT_A_CALL."""
    if isinstance(arguments, str):  # some models write the object as a string
        arguments = loads(arguments)
    if not isinstance(name, str) or not isinstance(arguments, dict):
        raise ValueError("a call has a name, and arguments that are an object")
    text = json.dumps(arguments, ensure_ascii=False, allow_nan=False)
    f"{name}{text}".encode()  # a lone surrogate cannot be sent
    return name, text


def read_call(text: str) -> list[Wanted] | None:
    """The one call that the text is, or None."""
    try:
        return [call_of(loads(text))]
    except NOT_A_CALL:
        return None


def outside_strings(marks: Iterable[str]) -> re.Pattern[str]:
    """A pattern for Marks: any of the marks where it is not part of a JSON string."""
    return re.compile(f"{_STRING}|(?P<mark>{'|'.join(map(re.escape, marks))})", re.DOTALL)


class Marks:
    """Finds marks in a text that grows, each once: what was read is not read again, however long the text becomes."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self._pattern = pattern
        self._at = 0

    def next(self, text: str, start: int) -> re.Match[str] | None:
        """The next mark, from `start` on; a string that is still open hides everything behind its quote."""
        for match in self._pattern.finditer(text, max(self._at, start)):
            if match["mark"] is None and match["closed"] is None:
                self._at = match.start()
                return None
            self._at = match.end()
            if match["mark"] is not None:
                return match
        return None


def overlap(text: str, marks: Iterable[str]) -> int:
    """Length of the longest end of the text that begins one of the marks."""
    return max((n for mark in marks for n in range(1, min(len(mark), len(text) + 1)) if mark.startswith(text[-n:])), default=0)
