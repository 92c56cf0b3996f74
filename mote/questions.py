"""Questions for the evaluation: fresh dialogues whose last exchange was never trained on."""

from __future__ import annotations

from dataclasses import dataclass

from mote.data import TASKS, Generator
from mote.data_text import render
from mote.data_types import Dialogue

ENDS_OF = {"memory": {"tell", "recall", "recall_untold"}, "unknown": {"unknown", "unknown_no_tool"}}


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt up to the assistant's turn, the exact answer with its end token, and the skill it shows.

    `turns` says how many turns of the dialogue stand before the answer.
    """

    skill: str
    prompt: str
    answer: str
    dialogue: Dialogue
    turns: int


def questions(
    per_task: int,
    *,
    seed: int,
    tasks: tuple[str, ...] = TASKS,
    only_unseen: bool = False,
    before: tuple[int, int] | None = None,
) -> list[Question]:
    """Some dialogues per task, scored at the answers of their last exchange.

    `before` sets how many other exchanges come first (0 in most, up to 3, if it is not given);
    `only_unseen` takes names and places that never appeared in training.
    """
    generator = Generator(seed, evaluate=True, only_unseen=only_unseen, wide=True)
    source = generator.random
    found: list[Question] = []
    for task in tasks:
        for _ in range(per_task):
            others = source.randint(*before) if before else 0 if source.random() < 0.6 else source.randint(1, 3)
            plan = [*source.choices(TASKS, k=others), task]
            if task == "unknown":
                plan = [t for t in plan if t != "think"]
            found += last_answers(generator.dialogue(plan), task)
    return found


def last_answers(dialogue: Dialogue, task: str) -> list[Question]:
    """The questions that the last exchange of a dialogue holds: its call and the sentence after it."""
    text, spans = render(dialogue)
    answers = [n for n, turn in enumerate(dialogue.turns) if turn.role == "assistant"]
    wanted = ENDS_OF.get(task, {task}) | {f"after_{task}"}
    found = [
        Question(span.skill, text[: span.begin], text[span.begin : span.end], dialogue, turn)
        for span, turn in zip(spans, answers, strict=True)
        if span.skill in wanted
    ]
    return found[-2:] if found[-1].skill.startswith("after_") else found[-1:]
