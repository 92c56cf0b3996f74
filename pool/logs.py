"""What the pool logs: one line each, whatever strangers call themselves, and none that tells nothing."""

import logging
from typing import TextIO

from iamine.oneline import printable

_NOISE = "body not consumed"  # Sanic, of a client that sent a body with a method that has none: no fault of ours


class OneLine(logging.Formatter):
    """A message is one line of bounded length; what cannot be printed is shown as escapes. Tracebacks stay."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The line, without a traceback."""
        record.message = printable(record.message)
        return super().formatMessage(record)


def set_up(out: TextIO) -> None:
    """Log to `out` from now on."""
    handler = logging.StreamHandler(out)
    handler.setFormatter(OneLine("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("sanic.error").addFilter(lambda record: _NOISE not in record.getMessage())
