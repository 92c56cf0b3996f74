"""What others say cannot move the cursor or begin a line."""

import pytest

from iamine.oneline import LINE_CHARACTERS, printable


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("worker wrk_1 (ada) joined", "worker wrk_1 (ada) joined"),
        ("a\r\n2026 INFO forged", "a\\r\\n2026 INFO forged"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\u202eevil", "\\u202eevil"),
        ("\ud800", "\\ud800"),
        ("caf\u00e9 \u4f60", "caf\u00e9 \u4f60"),
    ],
)
def test_a_message_is_one_line_of_what_can_be_printed(text: str, told: str) -> None:
    assert printable(text) == told


@pytest.mark.parametrize("text", ["x" * 100_000, "\0" * 100_000])
def test_a_line_has_a_bound(text: str) -> None:
    assert len(printable(text)) == LINE_CHARACTERS
