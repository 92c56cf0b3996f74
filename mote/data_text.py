"""A dialogue as the text that the model reads, and as OpenAI-style messages."""

from __future__ import annotations

from dataclasses import dataclass

from mote.data_types import Dialogue, Turn

START, END = "<|im_start|>", "<|im_end|>"


@dataclass(frozen=True, slots=True)
class Span:
    """Where an assistant's answer stands in a text, its end token included, in characters."""

    begin: int
    end: int
    skill: str


def render(dialogue: Dialogue) -> tuple[str, list[Span]]:
    """The text of a dialogue and the places of all answers in it."""
    text, spans = header(dialogue), []
    for turn in dialogue.turns:
        if turn.role == "tool":
            text += f"{START}user\n<tool_response>\n{turn.text}\n</tool_response>{END}\n"
            continue
        text += f"{START}{turn.role}\n"
        begin = len(text)
        text += turn.text + END
        if turn.role == "assistant":
            spans.append(Span(begin, len(text), turn.skill))
        text += "\n"
    return text, spans


def header(dialogue: Dialogue) -> str:
    """What comes before the first turn: offered tools, then the system message."""
    text = ""
    if dialogue.tools:
        offered = ";".join(f"{tool.name}({','.join(tool.parameters)})" for tool in dialogue.tools)
        text += f"{START}tools\n{offered}{END}\n"
    return text if dialogue.system is None else f"{text}{START}system\n{dialogue.system}{END}\n"


def messages(dialogue: Dialogue) -> list[dict[str, object]]:
    """The dialogue as an OpenAI client would send it."""
    first: list[dict[str, object]] = []
    if dialogue.system is not None:
        first = [{"role": "system", "content": dialogue.system}]
    return first + [_message(turn, number) for number, turn in enumerate(dialogue.turns)]


def _message(turn: Turn, number: int) -> dict[str, object]:
    if turn.role == "tool":
        return {"role": "tool", "tool_call_id": f"call_{number - 1}", "content": turn.text}
    if turn.call is None:
        return {"role": turn.role, "content": turn.text}
    function = {"name": turn.call.name, "arguments": turn.call.arguments_json()}
    call = {"id": f"call_{number}", "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call]}
