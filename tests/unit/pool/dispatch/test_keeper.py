"""Kept answers: readers come and go, pools too; every one of them is told the same answer from its first event on."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from fakes.hub import WORKER, FakeHub, Step, answering, ended
from fakes.journals import FakeHeld, FakeJournals
from fakes.records import ACCOUNT, FakeRecords

from iamine.ids import JobId, ModelId
from iamine.sealing import Secret
from iamine.wire.messages import Sampling
from pool.dispatch.answer import Answer
from pool.dispatch.events import AnswerEvent, ChoiceDelta, Done
from pool.dispatch.keeper import Keeper, Keeping
from pool.dispatch.kept import Claim, Kept
from pool.dispatch.position import Place, Seek
from pool.dispatch.service import Dispatch
from pool.errors import DeadlineExceeded, IdempotencyKeyReused, IdempotencyKeyUsed, ResumeLost, Unavailable
from pool.openai.types import CompletionRequest
from pool.routing.types import Begun, Delta, JobOrder, Queued, Resumed

KEEPING = Keeping(return_s=0.0, unattended=2)


def request(n: int = 1) -> CompletionRequest:
    return CompletionRequest(
        model=ModelId("mote"),
        prompts=("a secret prompt",),
        sampling=Sampling(max_tokens=0, seed=1),
        max_tokens=None,
        n=n,
        echo=False,
        stream=True,
        include_usage=False,
    )


def claim(name: str = "k", body: str = "b", secret: bytes = b"s") -> Claim:
    source = Secret(secret)
    return Claim(account=ACCOUNT, tag=source.tag("t", name.encode()), body=source.tag("b", body.encode()), secret=source)


class House:
    """A pool over journals that outlive it."""

    def __init__(self, journals: FakeJournals | None = None, keeping: Keeping = KEEPING) -> None:
        self.now = 1000.0
        self.hub, self.records = FakeHub(), FakeRecords()
        self.held = FakeHeld(lambda: self.now)
        self.journals = journals or FakeJournals(lambda: self.now)
        self.timers: list[Callable[[], object]] = []
        self.keeper = Keeper(
            hub=self.held, journals=self.journals, keeping=keeping, later=lambda _s, act: self.timers.append(act)
        )
        self.dispatch = Dispatch(hub=self.hub, records=self.records, keeper=self.keeper)
        self.gate = asyncio.Event()

    def script(self, *steps: Step) -> None:
        self.hub.script = lambda _order: list(steps)

    def slow(self, *texts: str, after: int) -> None:
        """An answer that stops after so many tokens until the gate opens."""
        steps = answering(*texts)
        self.hub.script = lambda _order: [*steps[: 1 + after], self.gate, *steps[1 + after :]]

    def in_two(self, *texts: str) -> asyncio.Event:
        """An answer whose second token comes when told, and whose third one waits for the gate."""
        steps, more = answering(*texts), asyncio.Event()
        self.hub.script = lambda _order: [*steps[:2], more, steps[2], self.gate, *steps[3:]]
        return more

    async def ask(self, one: Claim | None = None, *, n: int = 1, resumes: str | None = None) -> Answer:
        async def begin(kept: Kept) -> Answer:
            return await self.dispatch.completion(request(n), ACCOUNT, kept)

        return await self.keeper.answer(one or claim(), begin, resumes=None if resumes is None else JobId(resumes))

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)
        await self.keeper.drain(1.0)

    def time_passes(self) -> None:
        """Every wait that has begun is over."""
        timers, self.timers = self.timers, []
        for act in timers:
            act()

    def next(self) -> "House":
        """The pool is killed; another one begins on the same database."""
        self.keeper.close()
        other = House(self.journals)
        other.now = self.now
        return other


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = House()
    yield made
    for stream in made.hub.streams:
        stream.cancel()
    made.gate.set()
    await made.settle()


async def texts(answer: Answer, count: int = 10_000) -> list[str]:
    """The next deltas' texts."""
    told: list[str] = []
    async for event in answer:
        if isinstance(event, ChoiceDelta) and event.content:
            told.append(event.content)
            if len(told) == count:
                break
    return told


async def whole(answer: Answer) -> list[AnswerEvent]:
    events = [event async for event in answer]
    answer.close()
    return events


async def test_it_is_told_once_recorded_once_and_its_text_is_not_kept(house: House) -> None:
    events = await whole(await house.ask())
    assert isinstance(events[-1], Done)
    await house.settle()
    (row,) = [one.row for one in house.journals.answers.values()]
    assert (row.over, row.sealed, row.journal) == (True, b"", ())
    assert [(one.status, one.prompt_tokens, one.completion_tokens) for one in house.records.finished] == [("complete", 7, 2)]
    again = await whole(await house.ask())
    assert again == events, "for a while it is told again, from memory"
    house.time_passes()
    with pytest.raises(IdempotencyKeyUsed, match=row.job):
        await house.ask()
    assert len(house.hub.orders) == len(house.records.finished) == 1
    assert house.hub.orders[0].hold_s == KEEPING.hold_s


async def test_another_body_under_the_same_key_is_refused(house: House) -> None:
    house.slow("a", "b", after=1)
    answer = await house.ask()
    with pytest.raises(IdempotencyKeyReused):
        await house.ask(claim(body="other"))
    await house.keeper.write()
    later = house.next()
    with pytest.raises(IdempotencyKeyReused):
        await later.ask(claim(body="other"))
    house.gate.set()
    assert await texts(answer) == ["a", "b"]


async def test_a_client_that_comes_back_in_time_finds_its_answer_going_on(house: House) -> None:
    house.slow("a", "b", "c", after=2)
    first = await house.ask()
    assert await texts(first, 2) == ["a", "b"]
    first.close()
    second = await house.ask(resumes=str(first.job))
    house.time_passes()  # the first one's grace is over; nobody is forsaken who is listened to
    house.gate.set()
    assert await texts(second) == ["a", "b", "c"]
    assert (len(house.hub.orders), second.job) == (1, first.job)
    assert [one.status for one in house.records.finished] == ["complete"]


async def test_two_readers_at_once_are_told_the_same(house: House) -> None:
    house.slow("a", "b", "c", after=1)
    first, second = await asyncio.gather(house.ask(), house.ask())
    house.gate.set()
    assert await asyncio.gather(texts(first), texts(second)) == [["a", "b", "c"]] * 2
    assert (len(house.hub.orders), len(house.records.finished)) == (1, 1)


async def test_a_client_that_stays_away_loses_it_and_its_key_is_free(house: House) -> None:
    house.slow("a", "b", after=1)
    answer = await house.ask()
    await texts(answer, 1)
    await house.keeper.write()
    answer.close()
    assert house.hub.taken == 1
    house.time_passes()
    await house.settle()
    assert house.hub.taken == 0 and house.journals.answers == {}
    assert [(one.status, one.prompt_tokens, one.completion_tokens) for one in house.records.finished] == [("cut", 7, 1)]
    assert [(s.worker, s.start, s.stop) for s in house.records.finished[0].segments] == [(WORKER, 0, 1)]
    house.script(*answering("new"))
    assert await texts(await house.ask()) == ["new"]


async def test_an_account_has_few_answers_that_nobody_listens_to() -> None:
    house = House()
    house.slow("a", "b", after=1)
    for number in range(4):
        answer = await house.ask(claim(str(number)))
        await texts(answer, 1)
        answer.close()
    assert house.hub.taken == 2
    assert [stream.over for stream in house.hub.streams] == [True, True, False, False]
    house.gate.set()
    await house.settle()


async def test_an_error_is_told_and_the_key_is_free(house: House) -> None:
    house.script(Begun(worker=WORKER, epoch=1, prompt_tokens=7, cached_tokens=0), DeadlineExceeded("late"))
    with pytest.raises(DeadlineExceeded):
        await whole(await house.ask())
    await house.settle()
    assert house.journals.answers == {} and [one.status for one in house.records.finished] == ["failed"]
    house.script(*answering("new"))
    assert await texts(await house.ask()) == ["new"]


async def test_how_it_waits_is_told_to_who_listens(house: House) -> None:
    house.script(Queued(position=3, estimate_s=None), house.gate, *answering("a"))
    answer = await house.ask()
    first = await anext(answer)
    assert getattr(first, "position", None) == 3
    house.gate.set()
    assert await texts(answer) == ["a"]


async def test_without_the_database_nothing_is_begun_and_nothing_goes_on(house: House) -> None:
    house.journals.away = Unavailable("away")
    with pytest.raises(Unavailable):
        await house.ask()
    assert house.hub.orders == []
    house.journals.away = None
    house.records.away = Unavailable("away")
    with pytest.raises(Unavailable):
        await house.ask()
    await house.settle()
    assert house.hub.taken == 0


# ---- another pool ---------------------------------------------------------------------------------------------------------


async def lost(house: House, *, n: int = 1, count: int = 2) -> JobId:
    """An answer of which two tokens were written down when the pool was lost."""
    house.slow("a", "b", "c", "d", after=count)
    answer = await house.ask(n=n)
    await texts(answer, count * n)
    await house.keeper.write()
    return answer.job


def going_on(order: JobOrder) -> Sequence[Step]:
    """What a hub tells of a job that goes on."""
    done = len(order.resumed.ids) if order.resumed else 0
    deltas = [Delta(index=i, ids=(i,), text=text) for i, text in enumerate("abcd")][done:]
    return [Begun(worker=WORKER, epoch=7, prompt_tokens=7, cached_tokens=2), *deltas, ended(4)]


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
        """One connection that breaks after a while; whether it was told the end."""
        answer = await house.ask(resumes=self.job)
        self.job = str(answer.job)
        seek = Seek(self.place)
        reading = asyncio.create_task(self._read(answer, seek))
        for _ in range(spins):
            await asyncio.sleep(0)
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
    for _ in range(200):
        house = House(journals)
        house.hub.script = script
        await house.keeper.expect()
        while not whole and draw.random() > 0.3:
            whole = await client.read(house, draw.randint(1, 60))
            if draw.random() > 0.4:
                await house.keeper.write()
            released = draw.randint(released, len(WORDS))
        house.keeper.close()
        for stream in house.hub.streams:
            stream.cancel()
        if whole:
            break
    assert whole and client.text == "".join(WORDS)
