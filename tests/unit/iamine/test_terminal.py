"""What is printed when nobody looks: plain text, whole lines."""

import io
import json

from iamine.errors import IamineError
from iamine.terminal import Terminal


def printed(act: str, *given: object) -> str:
    out = io.StringIO()
    getattr(Terminal(out), act)(*given)
    return out.getvalue()


def test_a_line_is_neither_cut_nor_interpreted() -> None:
    text = "[bold]x[/bold] :smile: " + "y" * 500
    assert printed("line", text, "red") == text + "\n"


def test_pieces_join() -> None:
    assert printed("write", "a [b]") == "a [b]"


def test_a_table_keeps_a_row_on_one_line() -> None:
    lines = printed("table", ("name", "state"), [("a" * 60, "ok"), ("b", "x" * 80)]).splitlines()
    assert any("a" * 60 in line and "ok" in line for line in lines)
    assert any("x" * 80 in line for line in lines)


def test_json_is_json() -> None:
    assert json.loads(printed("json", {"ä": (1, 2)})) == {"ä": [1, 2]}


def test_an_error_comes_with_what_to_try() -> None:
    assert printed("error", IamineError("broken", hint="mend it")) == "error: broken\n  try: mend it\n"
    assert printed("error", IamineError("broken")) == "error: broken\n"


def test_a_stream_in_memory_is_nobody() -> None:
    assert not Terminal(io.StringIO()).is_interactive
