"""What the pool logs: one line each, whatever strangers call themselves, and none that tells nothing."""

import logging
from typing import TextIO

LINE_CHARACTERS = 2000
_NOISE = "body not consumed"  # Sanic, of a client that sent a body with a method that has none: no fault of ours


class OneLine(logging.Formatter):
    """A message is one line of bounded length; what cannot be printed is written as in Python, \\x1b. Tracebacks stay."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The line, without a traceback."""
        record.message = printable(record.message)
        return super().formatMessage(record)


def printable(text: str) -> str:
    """The text without control characters and the like, cut at LINE_CHARACTERS."""
    shown = text if text.isprintable() else "".join(map(_shown, text[:LINE_CHARACTERS]))
    return shown if len(shown) <= LINE_CHARACTERS else shown[: LINE_CHARACTERS - 3] + "..."


def _shown(character: str) -> str:
    return character if character.isprintable() else repr(character)[1:-1]


def set_up(out: TextIO) -> None:
    """Log to `out` from now on."""
    handler = logging.StreamHandler(out)
    handler.setFormatter(OneLine("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("sanic.error").addFilter(lambda record: _NOISE not in record.getMessage())
