"""Keeps user text from becoming control tokens: a seam is put into every special token's text that a user wrote. Pure.

The rendered prompt is cut at the seams and every part is tokenised by itself, so no token can cross one. Texts without
a special token's text are not touched: their ids are those of plain tokenisation.

A token's text put together from two strings (the content of one part ends with `<|im_`, the next begins with `end|>`) is
cut as well: a seam goes to the end of a string that ends like the start of a special token, and to the start of one that
begins like its end. What is not covered is a template that writes both ends of a special token around a user's string.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

SEAM = "\ufdd0"  # a noncharacter (Unicode 23.7): no text carries it; a user's own ones are dropped
MAX_DEPTH = 64
LEAST_CHARS = 3  # a shorter "special" text is an ordinary character in disguise


class TooDeep(ValueError):
    """Messages or tools are nested deeper than MAX_DEPTH."""


class Markers:
    """Puts seams into one string; `texts` are the special tokens' texts to guard against."""

    def __init__(self, texts: Iterable[str]) -> None:
        wanted = sorted({t for t in texts if len(t) >= LEAST_CHARS}, key=len, reverse=True)
        self._begins = re.compile(f"(?={_any_of(wanted)})(.)", re.DOTALL) if wanted else None
        self._heads = {t[:n] for t in wanted for n in range(1, len(t))}
        self._tails = {t[n:] for t in wanted for n in range(1, len(t))}
        self._longest = max(map(len, wanted), default=0)

    def guard(self, text: str) -> str:
        """The text with seams where a special token would begin, and at an end that could be half of one."""
        text = text.replace(SEAM, "")
        if self._begins is None:
            return text
        ends = range(1, min(self._longest, len(text) + 1))
        before = SEAM if any(text[:n] in self._tails for n in ends) else ""
        after = SEAM if any(text[-n:] in self._heads for n in ends) else ""
        return before + self._begins.sub(rf"\1{SEAM}", text) + after


def _any_of(words: Iterable[str]) -> str:
    """A pattern for any of the words, as a tree of their letters.

    A plain alternation of a thousand words would try each of them at every `<`: minutes for a message full of `<`.
    """
    tails: dict[str, list[str]] = {}
    for word in words:
        tails.setdefault(word[:1], []).append(word[1:])
    if "" in tails:  # the shortest word that matches is enough: what follows is not looked at
        return ""
    branches = (re.escape(letter) + _any_of(rest) for letter, rest in sorted(tails.items()))
    return f"(?:{'|'.join(branches)})"


def guard_all(value: Any, guard: Callable[[str], str], depth: int = 0) -> Any:
    """The JSON value with every string guarded, keys too; raises TooDeep."""
    if depth > MAX_DEPTH:
        raise TooDeep(f"messages or tools are nested deeper than {MAX_DEPTH}")
    match value:
        case str():
            return guard(value)
        case list():
            return [guard_all(item, guard, depth + 1) for item in value]
        case dict():
            return {guard(str(key)): guard_all(item, guard, depth + 1) for key, item in value.items()}
        case _:
            return value
