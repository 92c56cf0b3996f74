"""Texts of others as one line that can be printed: no control characters, no escape sequences, no end."""

LINE_CHARACTERS = 2000


def printable(text: str) -> str:
    """The text with what cannot be printed written as in Python (\\x1b), cut at LINE_CHARACTERS."""
    shown = text if text.isprintable() else "".join(map(_shown, text[:LINE_CHARACTERS]))
    return shown if len(shown) <= LINE_CHARACTERS else shown[: LINE_CHARACTERS - 3] + "..."


def _shown(character: str) -> str:
    return character if character.isprintable() else repr(character)[1:-1]
