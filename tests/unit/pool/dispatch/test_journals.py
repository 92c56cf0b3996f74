"""Kept answers whose pool was lost: the next one goes on from what was written down, whatever happened in whatever order."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from fakes.hub import WORKER, Step, answering, ended
from fakes.journals import FakeJournals
from fakes.keeping import House, claim, going_on, lost, texts

from iamine.ids import JobId
from pool.dispatch.answer import Answer
from pool.dispatch.events import ChoiceDelta
from pool.dispatch.keeper import Keeping
from pool.dispatch.position import Place, Seek
from pool.errors import IdempotencyKeyUsed, ResumeLost, Unavailable
from pool.routing.types import Begun, Delta, JobOrder, Resumed


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = House()
    yield made
    for stream in made.hub.streams:
        stream.cancel()
    made.gate.set()
    await made.settle()


@pytest.mark.parametrize("n", [1, 2])
async def test_another_pool_goes_on_from_what_was_written(house: House, n: int) -> None:
    job = await lost(house, n=n)
    later = house.next()
    later.hub.script = going_on
    await later.keeper.expect()
    assert {one.job for one in later.held.expected} == ({job} if n == 1 else {f"{job}.0", f"{job}.1"})
    assert {(one.worker, one.epoch) for one in later.held.expected} == {(WORKER, 1)}
    answer = await later.ask(n=n, resumes=str(job))
    events = [event async for event in answer]
    for choice in range(n):
        told = "".join(event.content for event in events if isinstance(event, ChoiceDelta) and event.choice == choice)
        assert told == "abcd"
    assert answer.job == job
    for order in later.hub.orders:
        assert order.resumed == Resumed(
            ids=(0, 1),
            givers=((WORKER, 0),),
            prompt_tokens=7,
            cached_tokens=2,
            file_sha256="f",
            template_sha256="t",
            prompt_sha256="p",
            epoch=1,
        )
    await later.settle()
    (row,) = [one.row for one in house.journals.answers.values()]
    assert row.over and row.journal == ()


async def test_a_third_pool_goes_on_where_the_second_one_was_lost(house: House) -> None:
    await lost(house)
    second = house.next()
    second.hub.script = lambda order: [*going_on(order)[:2], second.gate]
    answer = await second.ask()
    assert await texts(answer, 3) == ["a", "b", "c"]
    await second.keeper.write()
    third = second.next()
    third.hub.script = going_on
    assert await texts(await third.ask()) == ["a", "b", "c", "d"]
    assert third.hub.orders[0].resumed is not None and third.hub.orders[0].resumed.ids == (0, 1, 2)
    second.gate.set()


async def test_an_answer_that_was_whole_needs_no_worker(house: House) -> None:
    house.script(*answering("a", "b"))
    answer = await house.ask()
    await texts(answer, 2)
    await asyncio.sleep(0)
    await house.keeper.write()
    later = house.next()
    assert await texts(await later.ask()) == ["a", "b"]
    assert later.hub.orders == []


async def test_what_was_written_twice_counts_once(house: House) -> None:
    """The database's answer to a write was lost: the pool writes it again, and more."""
    house.slow("a", "b", "c", "d", after=2)
    await texts(await house.ask(), 2)
    write = house.journals.write

    async def unsure(rows: Any, *, keep_s: float) -> None:
        await write(rows, keep_s=keep_s)
        raise Unavailable("was that written?")

    house.journals.write = unsure  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        await house.keeper.write()
    house.journals.write = write  # type: ignore[method-assign]
    await house.keeper.write()
    later = house.next()
    later.hub.script = going_on
    assert await texts(await later.ask()) == ["a", "b", "c", "d"]


async def test_nothing_is_written_of_an_answer_that_the_database_does_not_know_yet(house: House) -> None:
    begin, gate = house.journals.begin, asyncio.Event()

    async def slow(**fields: Any) -> bool:
        await gate.wait()
        return await begin(**fields)

    house.journals.begin = slow  # type: ignore[method-assign]
    more = house.in_two("a", "b", "c", "d")
    asked = asyncio.create_task(house.ask())
    while not house.hub.streams:
        await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)
    await house.keeper.write()
    gate.set()
    more.set()
    assert await texts(await asked, 2) == ["a", "b"]
    await house.keeper.write()
    later = house.next()
    later.hub.script = going_on
    assert await texts(await later.ask()) == ["a", "b", "c", "d"]
    assert later.hub.orders[0].resumed is not None and later.hub.orders[0].resumed.ids == (0, 1)


async def test_a_journal_with_a_page_missing_is_not_gone_on_with(house: House) -> None:
    more = house.in_two("a", "b", "c", "d")
    answer = await house.ask()
    for _ in range(2):
        await texts(answer, 1)
        await house.keeper.write()
        more.set()
    (one,) = house.journals.answers.values()
    assert len(one.row.journal) == 2
    one.row = replace(one.row, journal=one.row.journal[1:])
    with pytest.raises(IdempotencyKeyUsed, match="cannot be read"):
        await house.next().ask()


async def test_workers_that_hold_it_are_waited_for_until_they_are_back() -> None:
    house = House()
    job = await lost(house)
    later = House(house.journals, Keeping(return_s=5.0))
    later.hub.script = going_on
    asked = asyncio.create_task(later.ask())
    await asyncio.sleep(0.12)
    assert later.hub.orders == []
    later.held.held.add(job)
    assert await texts(await asked) == ["a", "b", "c", "d"]
    house.gate.set()


async def test_a_wait_for_workers_ends(house: House) -> None:
    await lost(house)
    later = House(house.journals, Keeping(return_s=5.0))
    later.hub.script = going_on
    asked = asyncio.create_task(later.ask())
    await asyncio.sleep(0.07)
    later.now += 5.1
    assert await texts(await asked) == ["a", "b", "c", "d"]


async def test_another_key_finds_nothing_and_a_lost_beginning_is_told(house: House) -> None:
    job = await lost(house)
    later = house.next()
    with pytest.raises(ResumeLost, match=job):
        await later.ask(claim(secret=b"other"), resumes=str(job))
    with pytest.raises(ResumeLost):
        await later.ask(resumes="job_other")
    assert later.hub.orders == []
    later.hub.script = going_on
    assert await texts(await later.ask(resumes=str(job))) == ["a", "b", "c", "d"], "a wrong guess has cost nothing"


async def test_a_journal_that_does_not_open_is_told(house: House) -> None:
    await lost(house)
    (one,) = house.journals.answers.values()
    one.row = replace(one.row, job=JobId("job_x"))
    with pytest.raises(IdempotencyKeyUsed, match="cannot be read"):
        await house.next().ask()


async def test_nothing_written_can_be_read(house: House) -> None:
    house.slow("Zyxquorvane", "b", after=1)
    await texts(await house.ask(), 1)
    await house.keeper.write()
    (one,) = house.journals.answers.values()
    told = b"".join([one.row.sealed, one.row.body, *house.journals.answers, *(page.sealed for page in one.row.journal)])
    assert len(one.row.journal) == 1
    assert b"Zyxquorvane" not in told and b"secret prompt" not in told


async def test_a_pool_that_stops_leaves_it_for_the_next_one(house: House) -> None:
    house.slow("a", "b", "c", "d", after=2)
    house.hub.script = lambda order: [*going_on(order)[:3], house.gate, Unavailable("the pool is shutting down")]
    answer = await house.ask()
    await texts(answer, 2)
    house.keeper.close()
    house.gate.set()
    with pytest.raises(Unavailable):
        await texts(answer)
    await house.keeper.drain(1.0)
    assert house.records.finished == []
    later = House(house.journals)
    later.hub.script = going_on
    assert await texts(await later.ask()) == ["a", "b", "c", "d"]


# ---- any order of tokens, writes, breaks and kills --------------------------------------------------------------------------

WORDS = [f" {number}" for number in range(16)]


class Client:
    """Reads an answer as one does who resumes: what it has is the text up to its last position."""

    def __init__(self) -> None:
        self.text = ""
        self.place: Place | None = None
        self.job: str | None = None

    async def read(self, house: House, spins: int) -> bool:
        """One connection that breaks after a while (0: only at the end); whether it was told the end."""
        answer = await house.ask(resumes=self.job)
        self.job = str(answer.job)
        seek = Seek(self.place)
        reading = asyncio.create_task(self._read(answer, seek))
        for _ in range(spins):
            await asyncio.sleep(0)
        if not spins:
            await asyncio.wait({reading}, timeout=30.0)
        whole = reading.done()
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        answer.close()
        return whole and not reading.cancelled() and reading.exception() is None

    async def _read(self, answer: Answer, seek: Seek) -> None:
        async for event in answer:
            if isinstance(event, ChoiceDelta):
                _, new = seek.split(event, answer.tokens(0))
                if new is not None:
                    self.text += new.content
                    self.place = Place(tokens=answer.tokens(0), crc=seek.trace.crc)


@pytest.mark.parametrize("seed", range(60))
async def test_whatever_happens_the_text_is_the_same(seed: int) -> None:
    draw = random.Random(seed)
    client, journals = Client(), FakeJournals(lambda: 1000.0)
    released = 0

    def script(order: JobOrder) -> Sequence[Step]:
        steps: list[Step] = [Begun(worker=WORKER, epoch=1, prompt_tokens=7, cached_tokens=2)]
        at = len(order.resumed.ids) if order.resumed else 0
        while at < len(WORDS):
            size = draw.randint(1, min(4, len(WORDS) - at))
            pause = asyncio.Event()
            asyncio.get_running_loop().call_later(0.0002 * max(0, at + size - released), pause.set)
            steps += [pause, Delta(index=at, ids=tuple(range(at, at + size)), text="".join(WORDS[at : at + size]))]
            at += size
        return [*steps, ended(len(WORDS))]

    whole = False
    for pools_left in range(draw.randint(0, 8), -1, -1):
        house = House(journals)
        house.hub.script = script
        await house.keeper.expect()
        while not whole and (not pools_left or draw.random() > 0.3):
            whole = await client.read(house, 0 if not pools_left else draw.randint(1, 60))
            if draw.random() > 0.4:
                await house.keeper.write()
            released = draw.randint(released, len(WORDS))
        house.keeper.close()
        for stream in house.hub.streams:
            stream.cancel()
        if whole:
            break
    assert whole and client.text == "".join(WORDS)
