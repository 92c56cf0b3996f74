"""The values that the generator passes on: tools, turns and dialogues, and the held-out rule."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field
from typing import Literal

Role = Literal["user", "assistant", "tool"]

# One user turn in sixteen is never trained on; evaluation asks nothing else.
HELD_OUT_TURNS = 16
# One listed name or place in ten never appears in training.
HELD_OUT_NAMES = 10


def turn_is_held_out(text: str) -> bool:
    """Whether a user turn is kept for evaluation."""
    return zlib.crc32(text.encode()) % HELD_OUT_TURNS == 0


def name_is_held_out(name: str) -> bool:
    """Whether a listed name or place is kept for evaluation."""
    return zlib.crc32(name.encode()) % HELD_OUT_NAMES == 0


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as the model sees it: its name and the names of its parameters."""

    name: str
    parameters: tuple[str, ...]

    def as_openai(self) -> dict[str, object]:
        """The tool as an OpenAI client would declare it."""
        properties = {name: {"type": "string"} for name in self.parameters}
        schema: dict[str, object] = {"type": "object", "properties": properties}
        return {"type": "function", "function": {"name": self.name, "parameters": schema}}


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call; `compact` writes its arguments without spaces, as some clients send them back."""

    name: str
    arguments: dict[str, object]
    compact: bool = False

    def arguments_json(self) -> str:
        """The arguments as JSON text."""
        separators = (",", ":") if self.compact else (", ", ": ")
        return json.dumps(self.arguments, ensure_ascii=False, separators=separators)

    def text(self) -> str:
        """The call as the model writes it."""
        body = f'{{"name": "{self.name}", "arguments": {self.arguments_json()}}}'
        return f"<tool_call>\n{body}\n</tool_call>"


@dataclass(frozen=True, slots=True)
class Turn:
    """One message; `skill` names what an assistant turn trains, empty if it is not to be learnt."""

    role: Role
    text: str
    skill: str = ""
    call: Call | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialogue:
    """A whole conversation with the tools that are offered and an optional system message."""

    tools: tuple[Tool, ...] = ()
    system: str | None = None
    turns: tuple[Turn, ...]


@dataclass(slots=True, kw_only=True)
class Context:
    """What the exchanges of one dialogue share: offered tools and what the user has told."""

    tools: frozenset[str] = frozenset()
    memory: dict[str, str] = field(default_factory=dict)
    json_by_system: bool = False


def answered(user: str, answer: str, skill: str) -> list[Turn]:
    """One question and its answer."""
    return [Turn("user", user), Turn("assistant", answer, skill)]
