"""Group commit on a fake writer: who waits is written with the others, and one bad write harms itself only."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from pool.errors import NotFound
from pool.store.database import DatabaseAway
from pool.store.group import Group


@dataclass(frozen=True)
class Line:
    key: str
    text: str = ""


class Writer:
    """Keeps what it was given; `gate` holds a write up, `away` fails all, the text "bad" fails alone, "unknown" is told."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.gate: asyncio.Event | None = None
        self.away = False

    async def __call__(self, lines: Sequence[Line], wait_s: float) -> list[Exception | None]:
        if self.gate is not None:
            await self.gate.wait()
        if self.away:
            raise DatabaseAway("away")
        if any(line.text == "bad" for line in lines):
            raise ValueError("bad")
        self.groups.append([line.key for line in lines])
        return [NotFound("unknown") if line.text == "unknown" else None for line in lines]


async def test_what_comes_while_one_is_written_is_written_together() -> None:
    writer = Writer()
    writer.gate = asyncio.Event()
    group = Group(writer, wait_s=5)
    tasks = [group.put(Line("a"))]
    await asyncio.sleep(0.01)
    tasks += [group.put(Line(key)) for key in "bcb"]
    await asyncio.sleep(0.01)
    writer.gate.set()
    await asyncio.gather(*tasks)
    assert writer.groups == [["a"], ["b", "c"], ["b"]], "no key twice in one group"
    await group.put(Line("d"))
    assert writer.groups[-1] == ["d"]


async def test_one_bad_write_harms_itself_only() -> None:
    writer = Writer()
    group = Group(writer, wait_s=5)
    told = await asyncio.gather(
        *(group.put(Line(key, text)) for key, text in [("a", ""), ("b", "bad"), ("c", "unknown")]), return_exceptions=True
    )
    assert [type(one) for one in told] == [type(None), ValueError, NotFound]
    assert writer.groups == [["a"], ["c"]]


async def test_everybody_waits_for_the_database_for_as_long_as_was_said() -> None:
    writer, now = Writer(), [0.0]
    writer.away = True
    group = Group(writer, wait_s=10, now_s=lambda: now[0])
    first = group.put(Line("a"))
    await asyncio.sleep(0)
    now[0] = 6.0
    second = group.put(Line("b"))
    await asyncio.sleep(0)
    now[0] = 11.0
    with pytest.raises(DatabaseAway):
        await first
    assert not second.done()
    writer.away = False
    await second
    assert writer.groups == [["b"]]


async def test_a_waiter_that_is_gone_holds_nobody_up() -> None:
    writer = Writer()
    writer.gate = asyncio.Event()
    group = Group(writer, wait_s=5)
    tasks = [group.put(Line(key)) for key in "ab"]
    await asyncio.sleep(0.01)
    tasks[0].cancel()
    writer.gate.set()
    await tasks[1]
    assert writer.groups == [["a", "b"]], "written all the same"
