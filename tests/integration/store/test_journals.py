"""Kept answers on a real database: written, found again, swept; nothing of an ended one is left but that its key was used."""

import asyncpg
import pytest

from iamine.ids import AccountId, JobId, ModelId, WorkerId
from pool.dispatch.journals import Kin, Progress, Row, Written
from pool.routing.types import Start
from pool.store.store import Store

JOB, SUB, W = JobId("job_1"), JobId("job_1.1"), WorkerId("wrk_a")
TAG, BODY = b"t" * 32, b"b" * 32


def start(job: JobId, account: AccountId) -> Start:
    return Start(job=job, account=account, model=ModelId("mote"), at_s=1_700_000_000.0)


@pytest.fixture
async def account(store: Store) -> AccountId:
    made = await store.accounts.create("ann")
    await store.jobs.begin(start(JOB, made.account))
    return made.account


async def begin(store: Store, account: AccountId, *, job: JobId = JOB, tag: bytes = TAG, keep_s: float = 60.0) -> bool:
    return await store.journals.begin(
        job=job, account=account, tag=tag, body=BODY, sealed=b"sealed", jobs=(job, JobId(f"{job}.1")), keep_s=keep_s
    )


def page(ordinal: int, *, job: JobId = JOB, epoch: int = 1, sealed: bytes = b"page") -> Progress:
    kin = Kin(job=job, epoch=epoch, worker=W)
    return Progress(answer=JOB, ordinal=ordinal, sealed=sealed, kin=kin, file_sha256="f", tokens=ordinal + 1)


async def rows(dsn: str, table: str) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        return int(await connection.fetchval(f"SELECT count(*) FROM {table}"))
    finally:
        await connection.close()


async def expire(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute("UPDATE kept_answer SET expires_at = now() - interval '1 second'")
    await connection.close()


async def test_it_is_found_as_it_was_written(store: Store, account: AccountId) -> None:
    assert await store.journals.find(TAG, keep_s=60.0) is None
    assert await begin(store, account) and await begin(store, account), "told again it changes nothing"
    for _ in range(2):
        await store.journals.write([page(0), page(1, job=SUB, epoch=3), page(2)], keep_s=60.0)
    assert await store.journals.find(TAG, keep_s=60.0) == Row(
        job=JOB,
        body=BODY,
        over=False,
        sealed=b"sealed",
        jobs=(JOB, SUB),
        journal=tuple(Written(job=job, ordinal=number, sealed=b"page") for number, job in enumerate((JOB, SUB, JOB))),
    )
    assert set(await store.journals.expected(keep_s=60.0)) == {
        Kin(job=JOB, epoch=1, worker=W),
        Kin(job=SUB, epoch=3, worker=W),
    }


async def test_a_page_once_written_stays_as_it_is(store: Store, account: AccountId) -> None:
    await begin(store, account)
    await store.journals.write([page(0)], keep_s=60.0)
    await store.journals.write([page(0, sealed=b"other")], keep_s=60.0)
    found = await store.journals.find(TAG, keep_s=60.0)
    assert found is not None and [one.sealed for one in found.journal] == [b"page"]


async def test_a_tag_is_one_jobs_until_it_expires(store: Store, account: AccountId, dsn: str) -> None:
    assert await begin(store, account)
    assert not await begin(store, account, job=JobId("job_2"))
    await expire(dsn)
    assert await begin(store, account, job=JobId("job_2"))
    found = await store.journals.find(TAG, keep_s=60.0)
    assert found is not None and (found.job, found.journal) == ("job_2", ())


async def test_of_an_ended_one_only_its_key_is_known(store: Store, account: AccountId, dsn: str) -> None:
    await begin(store, account)
    await store.journals.write([page(0)], keep_s=60.0)
    await store.journals.over(JOB)
    await store.journals.write([page(1)], keep_s=60.0)
    found = await store.journals.find(TAG, keep_s=60.0)
    assert found == Row(job=JOB, body=BODY, over=True, sealed=b"", jobs=(), journal=())
    assert (await rows(dsn, "kept_job"), await rows(dsn, "kept_journal")) == (0, 0)
    assert await store.journals.expected(keep_s=60.0) == []
    await store.journals.sweep()
    assert await rows(dsn, "kept_answer") == 1, "for a day"


async def test_a_dropped_one_is_gone_and_its_key_is_free(store: Store, account: AccountId, dsn: str) -> None:
    await begin(store, account)
    await store.journals.write([page(0)], keep_s=60.0)
    await store.journals.drop(JOB)
    assert await store.journals.find(TAG, keep_s=60.0) is None
    assert [await rows(dsn, table) for table in ("kept_answer", "kept_job", "kept_journal")] == [0, 0, 0]
    assert await begin(store, account, job=JobId("job_2"))


async def test_a_kept_job_is_not_lost_with_the_pool_but_with_its_time(store: Store, account: AccountId, dsn: str) -> None:
    other = JobId("job_other")
    await store.jobs.begin(start(other, account))
    await begin(store, account)
    await store.journals.write([page(0)], keep_s=60.0)
    await store.journals.sweep()
    assert await store.jobs.lose_running() == 1
    kept, lost = await store.jobs.find(JOB), await store.jobs.find(other)
    assert kept is not None and lost is not None and (kept.status, lost.status) == ("running", "lost")
    await expire(dsn)
    assert await store.journals.find(TAG, keep_s=60.0) is None
    await store.journals.sweep()
    gone = await store.jobs.find(JOB)
    assert gone is not None and gone.status == "lost"
    assert [await rows(dsn, table) for table in ("kept_answer", "kept_job", "kept_journal")] == [0, 0, 0]


async def test_what_is_touched_lives_on(store: Store, account: AccountId, dsn: str) -> None:
    await begin(store, account)
    await expire(dsn)
    await store.journals.touch([JOB], keep_s=60.0)
    await store.journals.sweep()
    assert await store.journals.find(TAG, keep_s=60.0) is not None
