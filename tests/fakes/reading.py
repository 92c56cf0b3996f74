"""Reads a model's text as a choice does, in any pieces."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from iamine.ids import JobId
from pool.openai.types import ToolCall
from pool.toolcalls.formats import Formats, reader
from pool.toolcalls.types import Calls, Part, Reasoning, Tools, call_id

JOB = JobId("job_1")
SCHEMAS: dict[str, Any] = {
    "add": {"type": "object", "properties": {"a": {"type": "integer"}, "t": {"type": "string"}}},
    "look": {"type": "object"},
}


def accepts(name: str, arguments: str) -> bool:
    """Whether it is one of the two tools; the arguments are an object's text whatever the model wrote."""
    assert isinstance(json.loads(arguments), dict)
    return name in SCHEMAS


def new_calls() -> Calls:
    return Calls(JOB, Tools(accepts=accepts, schemas=SCHEMAS))


def parse(
    deltas: Sequence[str],
    *,
    tool: str = "",
    reasoning: str = "",
    opened: bool = False,
    tools: bool = True,
    marks: Sequence[str] = (),
) -> list[Part]:
    """The parts of a text that came in these deltas, neighbours of one kind joined."""
    one = reader(Formats(tool=tool, reasoning=reasoning), new_calls(), tools=tools, opened=opened, marks=marks)
    told: list[Part] = []
    for delta in deltas:
        before = one.asides
        parts = one.feed(delta)
        assert one.asides > before or not any(isinstance(part, Reasoning) for part in parts)
        told += parts
    return joined([*told, *one.finish()])


def joined(parts: Sequence[Part]) -> list[Part]:
    """The same with neighbours of one kind put together; no part is empty."""
    whole: list[Part] = []
    for part in parts:
        assert part not in ("", Reasoning(text=""))
        if isinstance(part, str) and whole and isinstance(whole[-1], str):
            whole[-1] += part
        elif isinstance(part, Reasoning) and whole and isinstance(whole[-1], Reasoning):
            whole[-1] = Reasoning(text=whole[-1].text + part.text)
        else:
            whole.append(part)
    return whole


def call(name: str = "add", arguments: str = '{"a": 1}', index: int = 0) -> ToolCall:
    return ToolCall(index=index, id=call_id(JOB, index), name=name, arguments=arguments)


def texts(*bits: str) -> st.SearchStrategy[str]:
    """Texts put together from these bits, wholes and halves."""
    halves = [part for bit in bits for part in (bit[: len(bit) // 2], bit[len(bit) // 2 :]) if part]
    return st.lists(
        st.sampled_from([*bits, *bits, *halves, " ", "\n", "text", "é", '"', "\\", "<", ">", "{", "}"]), max_size=9
    ).map("".join)


def cut(text: str, data: st.DataObject) -> list[str]:
    """The text in pieces, some of them empty."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def check_cuts(text: str, data: st.DataObject, read: Callable[[Sequence[str]], list[Part]]) -> None:
    """Every way of cutting gives the same parts, and without calls no character but white space is lost."""
    whole = read([text])
    assert read(cut(text, data)) == whole
    assert read(list(text)) == whole
