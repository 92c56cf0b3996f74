"""No stranger writes lines of his own into the log."""

import io
import logging
import sys

from pool.logs import OneLine


def record(message: str, **more: object) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": message, "levelno": logging.INFO, "levelname": "INFO", **more})


def test_a_message_is_one_line_of_what_can_be_printed() -> None:
    assert OneLine("%(message)s").format(record("a\r\n2026 INFO forged")) == "a\\r\\n2026 INFO forged"


def test_a_traceback_keeps_its_lines() -> None:
    try:
        raise ValueError("x")
    except ValueError:
        told = OneLine("%(message)s").format(record("failed", exc_info=sys.exc_info()))
    assert told.splitlines()[:2] == ["failed", "Traceback (most recent call last):"]


def test_a_body_that_nobody_asked_for_is_no_error() -> None:
    """Sanic would write an ERROR for each, and anybody can send them."""
    from pool import logs

    root, before = logging.getLogger(), list(logging.getLogger().handlers)
    root.handlers.clear()
    out, level = io.StringIO(), root.level
    try:
        logs.set_up(out)
        logging.getLogger("sanic.error").error("<Request: OPTIONS /> body not consumed.")
        logging.getLogger("sanic.error").error("something else")
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        logging.getLogger("sanic.error").filters.clear()
    assert out.getvalue().count("\n") == 1 and "something else" in out.getvalue()
