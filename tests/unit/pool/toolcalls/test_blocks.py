"""Blocks between content: what is held, and until when."""

from fakes.reading import call, new_calls

from pool.toolcalls.blocks import Blocks
from pool.toolcalls.hermes import HERMES


def test_content_is_told_at_once_and_calls_when_they_are_whole() -> None:
    reader = Blocks(HERMES, new_calls())
    assert reader.feed("So <") == ["So "]
    assert reader.feed("b> ") == ["<b> "]
    assert reader.feed("<tool_call>") == []
    assert reader.feed('{"name": "add", ') == []
    assert reader.feed('"arguments": {"a": 1}}</tool_call') == []
    assert reader.feed(">!") == [call(), "!"]
    assert reader.finish() == []
