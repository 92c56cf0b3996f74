"""Spans say exactly where the answers stand."""

from __future__ import annotations

from mote.data import TASKS, Generator
from mote.data_text import END, render


def test_every_span_is_one_answer_with_its_end_token() -> None:
    generator = Generator(9)
    for _ in range(100):
        dialogue = generator.dialogue([generator.pieces.pick(TASKS) for _ in range(3)])
        text, spans = render(dialogue)
        answers = [turn for turn in dialogue.turns if turn.role == "assistant"]
        assert [text[span.begin : span.end] for span in spans] == [turn.text + END for turn in answers]
        assert [span.skill for span in spans] == [turn.skill for turn in answers]
