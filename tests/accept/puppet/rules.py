"""The script: which text follows which conversation. Rules only, the same for the same input; nothing is learnt or drawn."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from iamine.wire.messages import Grammar
from puppet.fill import CannotFill, about, fill
from puppet.hints import Hints

ENOUGH = 20  # of `about`: a part of the tool's name stands in the text
_KEYS = re.compile(r"['\"`](\w+)['\"`]")
_REPLACE = re.compile(r"replace [\"'`](.+?)[\"'`] (?:by|with) [\"'`](.+?)[\"'`]", re.IGNORECASE)
_FENCED = re.compile(r"^(\S+\.\w+)\n```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A piece of the answer; `markup` may hold control tokens' texts, other pieces are plain text whatever they hold."""

    text: str
    markup: bool = False


def answer(messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]], grammar: Grammar | None) -> list[Said]:
    """The answer's pieces. Raises CannotFill for a grammar that no rule is for."""
    asked = last_asked(messages)
    if grammar is not None:
        return [Said(text=json.dumps(formed(grammar, asked, used=used(messages)), ensure_ascii=False))]
    if used(messages):
        return [Said(text=f"The tool says: {told(messages[-1])}")]
    calls = [call(tool, asked) for tool in wanted(tools, asked)]
    if calls:
        return [piece for each in calls for piece in block(each)]
    edit = edited(messages, asked)
    return [Said(text=edit or f"You said: {asked[:400]}")]


def last_asked(messages: Sequence[dict[str, Any]]) -> str:
    """What the user said last."""
    return next((told(one) for one in reversed(messages) if one.get("role") == "user"), "")


def told(message: dict[str, Any]) -> str:
    return str(message.get("content") or "")


def used(messages: Sequence[dict[str, Any]]) -> bool:
    """Whether a tool's result was the last thing said."""
    return bool(messages) and messages[-1].get("role") == "tool"


def formed(grammar: Grammar, asked: str, *, used: bool) -> Any:
    """A value that keeps to the grammar; no second call where there may be content."""
    match grammar.kind:
        case "json_schema":
            return fill(json.loads(grammar.text), Hints(asked), calls=not used)
        case "json_object":
            return {key: f"{key} of: {asked[:40]}" for key in _KEYS.findall(asked)} or {"answer": asked[:80]}
        case "gbnf":
            raise CannotFill("this script has no rule for GBNF")


def wanted(tools: Sequence[dict[str, Any]], asked: str) -> list[dict[str, Any]]:
    """The tools that the text is about: each that it names, else the one that it is most about, if enough."""
    functions = [tool["function"] for tool in tools]
    named = [one for one in functions if re.search(rf"\b{re.escape(one['name'])}\b", asked)]
    if named:
        return named
    scored = [(about(one["name"], one.get("description", ""), asked), one) for one in functions]
    best = max(scored, key=lambda pair: pair[0], default=(0, {}))
    return [best[1]] if best[0] >= ENOUGH else []


def call(tool: dict[str, Any], asked: str) -> dict[str, Any]:
    """A call of the tool."""
    hints = Hints(asked.replace(tool["name"], " "))
    return {"name": tool["name"], "arguments": fill(tool.get("parameters", {}), hints)}


def block(made: dict[str, Any]) -> Iterator[Said]:
    """A call as Hermes writes it."""
    yield Said(text="<tool_call>\n", markup=True)
    yield Said(text=json.dumps(made, ensure_ascii=False))
    yield Said(text="\n</tool_call>", markup=True)


def edited(messages: Sequence[dict[str, Any]], asked: str) -> str:
    """The edit that the user asks for, as a block of SEARCH and REPLACE where the conversation explains such blocks."""
    change = _REPLACE.search(asked)
    if not change or not any("SEARCH/REPLACE" in told(one) for one in messages):
        return ""
    before, after = change[1], change[2]
    for path, body in (found for one in reversed(messages) for found in _FENCED.findall(told(one))):
        line = next((line for line in body.splitlines() if before in line), None)
        if line is not None:
            change_of = f"<<<<<<< SEARCH\n{line}\n=======\n{line.replace(before, after)}\n>>>>>>> REPLACE"
            return f"Here is the change.\n\n{path}\n```\n{change_of}\n```\n"
    return ""
