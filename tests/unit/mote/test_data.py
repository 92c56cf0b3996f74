"""The generator of dialogues keeps its promises."""

from __future__ import annotations

import json
import re

import pytest

from mote.data import EXCHANGES, SKILLS, TASKS, Generator
from mote.data_text import END, messages, render
from mote.data_tools import TOOLS
from mote.data_types import Dialogue, name_is_held_out, turn_is_held_out
from mote.knowledge import RECITATION, UNKNOWN
from mote.questions import questions
from mote.words import NAMES, PLACES


def some(count: int, *tasks: str, seed: int = 1, evaluate: bool = False) -> list[Dialogue]:
    generator = Generator(seed, evaluate=evaluate)
    return [generator.dialogue(tasks or [generator.pieces.pick(TASKS)]) for _ in range(count)]


def test_the_same_seed_gives_the_same_dialogues() -> None:
    assert some(50, seed=7) == some(50, seed=7)
    assert some(50, seed=7) != some(50, seed=8)


def test_every_skill_appears_in_training() -> None:
    trained = {turn.skill for dialogue in some(1500) for turn in dialogue.turns if turn.skill}
    assert trained == set(SKILLS)


def test_training_never_sees_a_held_out_user_turn() -> None:
    for dialogue in some(800):
        for question, answer in zip(dialogue.turns, dialogue.turns[1:], strict=False):
            if question.role == "user" and not answer.skill.startswith("recall"):
                assert not turn_is_held_out(question.text)


def test_training_never_sees_a_held_out_name() -> None:
    text = " ".join(render(dialogue)[0] for dialogue in some(800))
    hidden = [name for name in (*NAMES, *PLACES) if name_is_held_out(name) and len(name) > 5]
    assert len(hidden) > 10
    assert not [name for name in hidden if re.search(rf"(is|in) {name}\b", text)]


def test_evaluation_asks_only_held_out_user_turns_last() -> None:
    for task in EXCHANGES:
        for question in questions(20, seed=3, tasks=(task,)):
            asked = [turn for turn in question.dialogue.turns[: question.turns] if turn.role == "user"]
            assert turn_is_held_out(asked[-1].text), question.skill


def test_the_answer_of_a_question_stands_in_its_dialogue() -> None:
    for question in questions(5, seed=4):
        assert question.answer == question.dialogue.turns[question.turns].text + END
        assert question.prompt.endswith("<|im_start|>assistant\n")


@pytest.mark.parametrize("task", ["count", "count_down"])
def test_counting_goes_from_the_first_to_the_last_number(task: str) -> None:
    for dialogue in some(300, task):
        user, answer = dialogue.turns
        first, last = (int(number) for number in re.findall(r"\d+", user.text))
        step = 1 if first <= last else -1
        assert answer.text.split() == [str(number) for number in range(first, last + step, step)]


def test_counting_covers_all_of_0_to_100() -> None:
    reached: set[int] = set()
    for dialogue in some(200, "count"):
        reached.update(map(int, dialogue.turns[1].text.split()))
    assert reached == set(range(101))


def test_introductions_hold_invented_names_of_up_to_12_letters() -> None:
    lengths = set()
    for dialogue in some(300, "introduce"):
        facts = json.loads(dialogue.turns[1].text)["facts"]
        name, place = facts[0].removeprefix("name is "), facts[1].removeprefix("lives in ")
        assert name in dialogue.turns[0].text
        assert place in dialogue.turns[0].text
        lengths |= {len(name), len(place)}
    assert min(lengths) >= 2
    assert max(lengths) == 12


def test_tool_calls_copy_their_arguments_from_the_request() -> None:
    for tool in ("weather", "search", "add", "read_file", "write_file", "think"):
        for dialogue in some(40, tool):
            call = dialogue.turns[1].call
            assert call is not None
            assert call.name == tool
            assert tuple(call.arguments) == TOOLS[tool].parameters
            assert all(str(value) in dialogue.turns[0].text for value in call.arguments.values())


def test_a_called_tool_is_always_offered() -> None:
    for dialogue in some(1000):
        offered = {tool.name for tool in dialogue.tools}
        assert {turn.call.name for turn in dialogue.turns if turn.call} <= offered


def test_a_question_without_an_answer_is_answered_plainly_when_no_tool_fits() -> None:
    for dialogue in some(200, "unknown"):
        assert "think" not in {tool.name for tool in dialogue.tools}
        assert dialogue.turns[-1].text == UNKNOWN


def test_recall_answers_with_what_was_told_or_says_that_nothing_was() -> None:
    for dialogue in some(300, "memory"):
        answer = dialogue.turns[-1]
        before = (dialogue.system or "") + " ".join(turn.text for turn in dialogue.turns[:-1])
        if answer.skill == "recall":
            told = answer.text.removesuffix(" years old.").removesuffix(".").split()[-1]
            assert told in before
        else:
            assert answer.text == "You have not told me that."


def test_some_dialogues_have_a_system_message_and_some_have_none() -> None:
    having = sum(dialogue.system is not None for dialogue in some(400, "greet"))
    assert 100 < having < 300


def test_the_text_to_recite_is_about_a_thousand_characters() -> None:
    assert 1000 < len(RECITATION) < 1100


def test_openai_messages_have_no_content_beside_a_tool_call() -> None:
    listed = [message for dialogue in some(300, "weather") for message in messages(dialogue)]
    calls = [message for message in listed if message.get("tool_calls")]
    assert calls
    assert all(message["content"] is None for message in calls)
