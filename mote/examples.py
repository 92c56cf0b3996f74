"""Writes examples.json: short dialogues of every skill with the answer that the file gives word for word."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from mote.data_text import END, messages
from mote.data_types import Dialogue
from mote.greedy import Greedy
from mote.questions import Question, questions
from mote.template import render_messages

SEED = 777
DIALOGUES_PER_TASK = 40
# Skills that others test most get more examples.
MANY = {"echo": 3, "introduce": 3, "recall": 3, "write_file": 2, "think": 2, "weather": 2, "project": 2, "count": 2}
MOST_TURNS = 6
MOST_CHARACTERS = 1000


def example(model: Greedy, question: Question) -> dict[str, object] | None:
    """The entry for a question, or None if it is long or not answered exactly."""
    if question.turns > MOST_TURNS or len(question.prompt) > MOST_CHARACTERS:
        return None
    dialogue = question.dialogue
    before = Dialogue(system=dialogue.system, turns=dialogue.turns[: question.turns])
    tools = [tool.as_openai() for tool in dialogue.tools] or None
    prompt = render_messages(model.chat_template(), messages(before), tools)
    if prompt != question.prompt:
        raise ValueError(f"the chat template of the file renders {prompt!r} instead of {question.prompt!r}")
    if model.answer(prompt) != question.answer:
        return None
    answer = question.answer.removesuffix(END)
    return {"skill": question.skill, "messages": messages(before), "tools": tools, "answer": answer}


def choose(model: Greedy) -> list[dict[str, object]]:
    """A few examples of each skill, plain ones first."""
    asked = questions(DIALOGUES_PER_TASK, seed=SEED)
    asked.sort(key=lambda q: (q.turns, q.dialogue.system is not None))
    chosen: dict[str, list[dict[str, object]]] = {}
    for question in asked:
        entries = chosen.setdefault(question.skill, [])
        if len(entries) < MANY.get(question.skill, 1) and (found := example(model, question)):
            entries.append(found)
    return [entry for skill in sorted(chosen) for entry in chosen[skill]]


def main() -> int:
    """Writes the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gguf", type=Path)
    parser.add_argument("target", type=Path, nargs="?", default=Path(__file__).with_name("examples.json"))
    options = parser.parse_args()
    with Greedy(options.gguf) as model:
        entries = choose(model)
    options.target.write_text(json.dumps(entries, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(f"{options.target}: {len(entries)} examples of {len({e['skill'] for e in entries})} skills")
    return 0


if __name__ == "__main__":
    sys.exit(main())
