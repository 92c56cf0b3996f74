"""A job's end is recorded once, whoever tells it again."""

import asyncio
import logging

import pytest
from fakes.records import FakeRecords

from iamine.ids import AccountId, JobId, ModelId
from pool.dispatch.record import Background, Record
from pool.errors import Unavailable
from pool.routing.types import Start

START = Start(job=JobId("job_1"), account=AccountId("a"), model=ModelId("m"), at_s=1.0)


def record(records: FakeRecords) -> Record:
    return Record(records, Background(), START)


async def test_only_the_first_end_counts() -> None:
    records = FakeRecords()
    one = record(records)
    first = one.finish("complete", prompt_tokens=1, completion_tokens=9, segments=())
    assert one.finish("cut", prompt_tokens=1, completion_tokens=5, segments=()) is first
    await one.finished()
    assert [(end.status, end.completion_tokens) for end in records.finished] == [("complete", 9)]


async def test_what_was_refused_has_no_end() -> None:
    records = FakeRecords()
    records.away = Unavailable("away")
    one = record(records)
    with pytest.raises(Unavailable):
        await one.begun()
    await one.finish("failed", prompt_tokens=0, completion_tokens=0, segments=())
    assert records.finished == []


async def test_nobody_is_told_of_an_end_without_any_record(caplog: pytest.LogCaptureFixture) -> None:
    records = FakeRecords()
    records.finish_away = Unavailable("away")
    one = record(records)
    one.finish("complete", prompt_tokens=1, completion_tokens=9, segments=())
    with caplog.at_level(logging.ERROR), pytest.raises(Unavailable):
        await one.finished()
    assert "its end could not be recorded" in caplog.text


async def test_an_end_of_what_is_on_record_is_told_without_its_own_record() -> None:
    records = FakeRecords()
    one = record(records)
    await one.begun()
    records.finish_away = Unavailable("away")
    one.finish("complete", prompt_tokens=1, completion_tokens=9, segments=())
    await one.finished()
    assert records.finished == []


async def test_the_pools_end_waits_for_what_is_being_written() -> None:
    records, background = FakeRecords(), Background()
    records.gate = asyncio.Event()
    Record(records, background, START).finish("cut", prompt_tokens=0, completion_tokens=0, segments=())
    waiting = asyncio.create_task(background.drain(5.0))
    await asyncio.sleep(0)
    records.gate.set()
    await waiting
    assert [end.status for end in records.finished] == ["cut"]
