"""What readers of raw text tell, and how calls are numbered."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from iamine.ids import JobId
from pool.openai.types import ToolCall

Accepts = Callable[[str, str], bool]
Wanted = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasoning:
    """What the model said to itself."""

    text: str


Part = str | Reasoning | ToolCall


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """`accepts(name, arguments)`: whether such a call may be told. `schemas`: each tool's parameters as JSON schema.

    `hidden` names a tool of the pool's own: a call of it is read, but is none of the client's and has no number.
    """

    accepts: Accepts
    schemas: Mapping[str, Any] = field(default_factory=dict)
    hidden: str = ""


HIDDEN = -1  # the index of a call that no client is told of
NO_TOOLS = Tools(accepts=lambda _name, _arguments: False)


class Reader(Protocol):
    """Reads one answer. `asides` rises whenever reasoning or markup, which is no content, was read."""

    @property
    def reasoning(self) -> bool:
        """Whether the text is inside reasoning now."""
        ...

    @property
    def asides(self) -> int: ...

    def feed(self, text: str) -> list[Part]:
        """Read more text. Returns what is certain by now."""
        ...

    def finish(self) -> list[Part]:
        """The text is over: what was held back."""
        ...


class Calls:
    """The calls of one answer, in their order; `count` of them were made."""

    def __init__(self, job: JobId, tools: Tools) -> None:
        self.tools = tools
        self.count = 0
        self._job = job

    def made(self, wanted: Sequence[Wanted] | None) -> list[ToolCall] | None:
        """The calls of (name, arguments as JSON text), or None when there is none or one of them may not be told."""
        if not wanted or not all(self.tools.accepts(name, arguments) for name, arguments in wanted):
            return None
        return [self._made(name, arguments) for name, arguments in wanted]

    def _made(self, name: str, arguments: str) -> ToolCall:
        if name == self.tools.hidden:
            return ToolCall(index=HIDDEN, id="", name=name, arguments=arguments)
        index, self.count = self.count, self.count + 1
        return ToolCall(index=index, id=call_id(self._job, index), name=name, arguments=arguments)


def call_id(job: JobId, index: int) -> str:
    """The call's id: the same whenever the same answer is read again."""
    return f"call_{hashlib.sha256(f'{job}/{index}'.encode()).hexdigest()[:24]}"
