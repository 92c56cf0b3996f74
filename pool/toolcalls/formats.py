"""Which reader a model's answer needs: by the formats of its tool calls and of its reasoning."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pool.toolcalls.bare import Bare
from pool.toolcalls.blocks import Blocks, Format
from pool.toolcalls.harmony import Harmony
from pool.toolcalls.hermes import HERMES
from pool.toolcalls.jsontext import read_call
from pool.toolcalls.llama3 import Llama3
from pool.toolcalls.marked import Marked
from pool.toolcalls.mistral import MISTRAL
from pool.toolcalls.qwencoder import QWEN_CODER
from pool.toolcalls.think import Think
from pool.toolcalls.types import Calls, Part, Reader

_BLOCKS: Mapping[str, Format] = {"hermes": HERMES, "qwen-coder": QWEN_CODER, "mistral": MISTRAL}
TOOL_FORMATS = frozenset({"", "llama3", "harmony", *_BLOCKS})
REASONING_FORMATS = frozenset({"", "think", "harmony"})
BARE = "bare"  # no model's own: what a grammar of calls or content makes


@dataclass(frozen=True, slots=True, kw_only=True)
class Formats:
    """How a model writes calls and reasoning; "" is: not at all, or in a way that nobody here can read."""

    tool: str = ""
    reasoning: str = ""

    @property
    def known(self) -> "Formats":
        """The same with "" for what this pool does not know: a newer worker may name it."""
        return Formats(
            tool=self.tool if self.tool in TOOL_FORMATS else "",
            reasoning=self.reasoning if self.reasoning in REASONING_FORMATS else "",
        )


class Plain:
    """Reads text that is content."""

    reasoning = False
    asides = 0

    def feed(self, text: str) -> list[Part]:
        """The text."""
        return [text] if text else []

    def finish(self) -> list[Part]:
        """Nothing is held back."""
        return []


def reader(formats: Formats, calls: Calls, *, tools: bool, opened: bool, marks: Sequence[str] = ()) -> Reader:
    """A reader for one answer; calls are looked for when the request has `tools`.

    `opened`: the prompt ended inside the reasoning. `marks`: those that count only as tokens of the model's own.
    """
    plain = _reader(formats, calls, tools=tools, opened=opened)
    return Marked(plain, marks) if marks else plain


def _reader(formats: Formats, calls: Calls, *, tools: bool, opened: bool) -> Reader:
    """A reader of text without MARK. Harmony's channels are read whichever of the two formats names it:
    they stand around content too.
    """
    if "harmony" in (formats.tool, formats.reasoning):
        return Harmony(calls)
    tool = formats.tool if tools else ""
    inner: Reader = Plain()
    if tool == "llama3":
        inner = Llama3(calls)
    elif tool == BARE:
        inner = Bare(calls)
    elif tool in _BLOCKS:
        inner = Blocks(_BLOCKS[tool], calls)
    return Think(inner, opened=opened) if formats.reasoning == "think" else inner


def only_call(calls: Calls, text: str) -> list[Part]:
    """An answer that had to be one call, without marks around it (a grammar made it); cut short, it is content."""
    made = calls.made(read_call(text))
    if made is not None:
        return list(made)
    return [text] if text else []
