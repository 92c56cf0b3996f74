"""The chat template renders what the model was trained on, and whatever a client may send."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from mote.data import TASKS, Generator
from mote.data_text import messages, render
from mote.data_types import Dialogue
from mote.template import FILE, render_messages

TEMPLATE = FILE.read_text(encoding="utf-8").strip()
ANSWER = "<|im_start|>assistant\n"
Message = dict[str, object]


def rendered(sent: Sequence[Message], tools: Sequence[Message] | None = None) -> str:
    return render_messages(TEMPLATE, sent, tools)


@pytest.mark.parametrize("task", TASKS)
def test_messages_render_to_the_text_of_training(task: str) -> None:
    generator = Generator(5)
    for _ in range(20):
        dialogue = generator.dialogue([task, "weather", "echo"])
        tools = [tool.as_openai() for tool in dialogue.tools]
        assert rendered(messages(dialogue), tools) == render(dialogue)[0] + ANSWER


def test_a_system_message_comes_after_the_tools() -> None:
    dialogue = Generator(1).dialogue(["weather"])
    text = render(Dialogue(tools=dialogue.tools, system="Be kind.", turns=dialogue.turns))[0]
    assert text.index("<|im_start|>tools") < text.index("<|im_start|>system\nBe kind.<|im_end|>") < text.index("user\n")


def call(arguments: object) -> Message:
    return {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "add", "arguments": arguments}}]}


@pytest.mark.parametrize("arguments", ['{"a": 1, "b": 2}', {"a": 1, "b": 2}])
def test_arguments_may_be_text_or_an_object(arguments: object) -> None:
    expected = '<tool_call>\n{"name": "add", "arguments": {"a": 1, "b": 2}}\n</tool_call><|im_end|>\n'
    assert rendered([call(arguments)]) == ANSWER + expected + ANSWER


@pytest.mark.parametrize("arguments", ["", None, {}])
def test_empty_arguments_are_an_empty_object(arguments: object) -> None:
    assert '"arguments": {}}' in rendered([call(arguments)])


def test_letters_and_quotes_stay_as_they_are() -> None:
    assert json.dumps("d'Éluçé <b>", ensure_ascii=False) in rendered([call({"a": "d'Éluçé <b>"})])


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": None},
        {"role": "assistant", "content": ""},
        {"role": "assistant", "tool_calls": None},
        {"role": "assistant", "content": None, "tool_calls": []},
    ],
)
def test_an_empty_assistant_message_renders_as_an_empty_turn(message: Message) -> None:
    assert rendered([message]) == f"{ANSWER}<|im_end|>\n{ANSWER}"


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "function", "function": {"name": "ping"}},
        {"type": "function", "function": {"name": "ping", "parameters": None}},
        {"type": "function", "function": {"name": "ping", "parameters": {}}},
        {"type": "function", "function": {"name": "ping", "parameters": {"type": "object", "properties": {}}}},
        {"type": "function", "name": "ping"},
    ],
)
def test_a_tool_without_parameters_renders_with_empty_brackets(tool: Message) -> None:
    text = rendered([{"role": "user", "content": "hi"}], [tool])
    assert text.startswith("<|im_start|>tools\nping()<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n")


@pytest.mark.parametrize("tools", [None, []])
def test_no_tools_give_no_header(tools: list[Message] | None) -> None:
    assert rendered([{"role": "user", "content": "hi"}], tools) == f"<|im_start|>user\nhi<|im_end|>\n{ANSWER}"


def test_content_may_come_in_parts() -> None:
    parts = [{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}]
    assert "user\nhello<|im_end|>" in rendered([{"role": "user", "content": parts}])


def test_a_developer_message_is_a_system_message() -> None:
    assert rendered([{"role": "developer", "content": "Be kind."}]).startswith("<|im_start|>system\nBe kind.<|im_end|>\n")
