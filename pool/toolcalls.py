"""Tool calls in raw text, Hermes/Qwen style: `<tool_call>` {"name": …, "arguments": {…}} `</tool_call>`.

Pure and safe for streams: however the text is cut into deltas, the parts (neighbouring contents joined) are the same.
What opens like a call but is none is given back as content; nothing is lost but white space around calls.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from iamine.ids import JobId
from pool.openai.types import ToolCall

OPEN, CLOSE = "<tool_call>", "</tool_call>"

Accepts = Callable[[str, str], bool]
Part = str | ToolCall


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Where the parser is: `held` is text not yet told; `edge` at the start or behind a call, where white space waits."""

    job: JobId
    held: str = ""
    inside: bool = False
    edge: bool = True
    calls: int = 0


def feed(state: State, text: str, accepts: Accepts) -> tuple[State, tuple[Part, ...]]:
    """Read more text; `accepts(name, arguments)` says whether such a call may be told. Returns what is certain by now."""
    state = replace(state, held=state.held + text)
    parts: list[Part] = []
    while True:
        state, part = _call(state, accepts) if state.inside else _content(state)
        if part is None:
            return state, tuple(parts)
        if part:
            parts.append(part)


def finish(state: State, accepts: Accepts) -> tuple[State, tuple[Part, ...]]:
    """The text is over: a call that lacks only its closing mark counts, everything else held back is content."""
    call = _parse(state, state.held.partition(OPEN)[2], accepts) if state.inside else None
    if call is not None:
        return replace(state, held="", inside=False, edge=True, calls=state.calls + 1), (call,)
    rest = "" if state.calls and state.edge and not state.held.strip() else state.held
    return replace(state, held="", inside=False), (rest,) if rest else ()


def only_call(job: JobId, text: str, accepts: Accepts) -> Part:
    """An answer that had to be one call, without marks around it; cut short, it is content."""
    return _parse(State(job=job), text, accepts) or text


def _content(state: State) -> tuple[State, Part | None]:
    """Text up to an opening mark, less what may be the beginning of one."""
    at = state.held.find(OPEN)
    shown = state.held[:at] if at >= 0 else state.held[: len(state.held) - _overlap(state.held)]
    if state.edge and not shown.strip():
        # white space waits with the mark: it is dropped with a call, and told with anything else
        return (replace(state, inside=True), "") if at >= 0 else (state, None)
    rest = replace(state, held=state.held[len(shown) :], edge=state.edge and not shown, inside=at >= 0)
    return rest, shown if shown or at >= 0 else None


def _overlap(text: str) -> int:
    """Length of the longest end of the text that begins an opening mark."""
    return next((n for n in range(min(len(OPEN) - 1, len(text)), 0, -1) if OPEN.startswith(text[-n:])), 0)


def _call(state: State, accepts: Accepts) -> tuple[State, Part | None]:
    """A call up to its closing mark; a mark inside a JSON string does not count."""
    start = state.held.index(OPEN) + len(OPEN)
    at = _close(state.held, start)
    if at < 0:
        return state, None
    end = at + len(CLOSE)
    call = _parse(state, state.held[start:at], accepts)
    if call is None:
        return replace(state, held=state.held[end:], inside=False, edge=False), state.held[:end]
    return replace(state, held=state.held[end:], inside=False, edge=True, calls=state.calls + 1), call


def _close(text: str, start: int) -> int:
    """Where the closing mark is, or -1."""
    if CLOSE not in text[start:]:  # the usual answer, at C speed: deltas are short and calls may be long
        return -1
    quoted = escaped = False
    for at in range(start, len(text)):
        char = text[at]
        if escaped:
            escaped = False
        elif quoted:
            escaped, quoted = char == "\\", char != '"'
        elif char == '"':
            quoted = True
        elif char == "<" and text.startswith(CLOSE, at):
            return at
    return -1


def _parse(state: State, body: str, accepts: Accepts) -> ToolCall | None:
    try:
        value = json.loads(body, parse_constant=_no_constant)
        name, arguments = value["name"], _arguments(value.get("arguments", {}))
        f"{name}{arguments}".encode()  # a lone surrogate cannot be sent
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    if not isinstance(name, str) or not accepts(name, arguments):
        return None
    return ToolCall(index=state.calls, id=call_id(state.job, state.calls), name=name, arguments=arguments)


def _arguments(value: Any) -> str:
    """The arguments as JSON text of an object; some models write them as a string."""
    if isinstance(value, str):
        value = json.loads(value, parse_constant=_no_constant)
    if not isinstance(value, dict):
        raise ValueError("arguments must be an object")
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def call_id(job: JobId, index: int) -> str:
    """The call's id: the same whenever the same answer is read again."""
    return f"call_{hashlib.sha256(f'{job}/{index}'.encode()).hexdigest()[:24]}"
