"""Kept answers: readers come and go, and every one of them is told the same answer from its first event on."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from fakes.hub import WORKER, answering
from fakes.keeping import KEEPING, House, claim, texts, whole

from pool.dispatch.events import Done
from pool.errors import DeadlineExceeded, IdempotencyKeyReused, IdempotencyKeyUsed, Unavailable
from pool.routing.types import Begun, Queued


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = House()
    yield made
    for stream in made.hub.streams:
        stream.cancel()
    made.gate.set()
    await made.settle()


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
