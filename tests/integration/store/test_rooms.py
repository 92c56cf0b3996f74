"""Accounts, jobs, workers and the owner's key on a real database."""

import asyncio
import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from iamine.ids import AccountId, JobId, ModelId, WorkerId, worker_id
from iamine.wire.messages import Gpu, Hardware
from pool.errors import PermissionDenied
from pool.routing.types import ModelCard, Segment, Start
from pool.store.accounts import Accounts
from pool.store.apikeys import KeyCache
from pool.store.database import Database, DatabaseAway
from pool.store.errors import AccountNameTaken
from pool.store.owner import ensure_owner, read_client_file
from pool.store.store import Store

JOB, MODEL = JobId("job_1"), ModelId("mote")
SEGMENTS = (
    Segment(worker=WorkerId("wrk_a"), start=0, stop=5),
    Segment(worker=WorkerId("wrk_b"), start=5, stop=9),
)


class Clock:
    """Seconds that pass when told."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


# ---- accounts -----------------------------------------------------------------------------------------------------------


async def test_a_new_key_is_its_accounts_and_no_other_is(store: Store) -> None:
    ann, bob = await store.accounts.create("ann"), await store.accounts.create("bob")
    assert await store.accounts.authenticate(ann.api_key) == ann.account
    assert await store.accounts.authenticate(bob.api_key) == bob.account
    assert await store.accounts.authenticate(ann.api_key[:-1]) is None
    assert await store.accounts.authenticate("im_aaaaaaaaaaaa_bbbb") is None
    assert await store.accounts.authenticate("sk-nonsense") is None


async def test_a_name_is_taken_whatever_its_capitals(store: Store) -> None:
    await store.accounts.create("Straße")
    with pytest.raises(AccountNameTaken) as caught:
        await store.accounts.create("STRASSE")
    assert (caught.value.status, caught.value.param) == (409, "name")
    assert [account.name for account in await store.accounts.names()] == ["Straße"]


async def test_a_revoked_key_is_nobodys(store: Store) -> None:
    ann = await store.accounts.create("ann")
    second = await store.accounts.add_key(ann.account)
    assert await store.accounts.authenticate(ann.api_key) == ann.account
    assert await store.accounts.revoke(ann.api_key.split("_")[1])
    assert await store.accounts.authenticate(ann.api_key) is None
    assert await store.accounts.authenticate(second) == ann.account
    assert not await store.accounts.revoke(ann.api_key.split("_")[1])


async def test_the_day_of_last_use_is_kept(store: Store) -> None:
    ann = await store.accounts.create("ann")
    assert (await store.accounts.keys(ann.account))[0].last_used is None
    await store.accounts.authenticate(ann.api_key)
    assert (await store.accounts.keys(ann.account))[0].last_used is not None


async def test_no_secret_is_in_the_database(store: Store) -> None:
    ann = await store.accounts.create("ann")
    row = await store.database.transaction(lambda c: c.fetchrow("SELECT row_to_json(k)::text AS whole FROM api_key AS k"))
    assert ann.api_key.split("_")[2] not in row["whole"]


async def test_a_known_key_works_while_the_database_is_away_for_a_bounded_time(store: Store, dsn: str) -> None:
    clock = Clock()
    database = await Database.open(dsn, wait_s=0.5)
    accounts = Accounts(database, cache=KeyCache(size=10, fresh_s=30, grace_s=600), now_s=clock)
    ann, unseen = await accounts.create("ann"), await accounts.create("unseen")
    assert await accounts.authenticate(ann.api_key) == ann.account
    await database.close()
    assert await accounts.authenticate(ann.api_key) == ann.account, "fresh: no query"
    away = await Database.open("postgresql://x@/x?host=/nowhere", wait_s=0.3)
    accounts = Accounts(away, cache=accounts._cache, now_s=clock)
    clock.now_s += 100
    assert await accounts.authenticate(ann.api_key) == ann.account, "within the grace time"
    assert await accounts.authenticate(ann.api_key[:-1] + "x") is None
    with pytest.raises(DatabaseAway) as caught:
        await accounts.authenticate(unseen.api_key)
    assert caught.value.status == 503
    clock.now_s += 600
    with pytest.raises(DatabaseAway):
        await accounts.authenticate(ann.api_key)
    assert not await away.healthy(0.2)
    await away.close()


# ---- jobs ---------------------------------------------------------------------------------------------------------------


def start(account: AccountId) -> Start:
    return Start(job=JOB, account=account, model=MODEL, at_s=1_700_000_000.5)


async def ann_of(store: Store) -> AccountId:
    return (await store.accounts.create("ann")).account


async def test_a_job_is_kept_with_its_segments(store: Store) -> None:
    one = start(await ann_of(store))
    await store.jobs.begin(one)
    running = await store.jobs.find(JOB)
    assert running is not None
    assert (running.status, running.finished_at, running.created_at.timestamp()) == ("running", None, 1_700_000_000.5)
    await store.jobs.finish(one, status="complete", prompt_tokens=3, completion_tokens=9, segments=SEGMENTS)
    done = await store.jobs.find(JOB)
    assert done is not None
    assert (done.status, done.prompt_tokens, done.completion_tokens, done.segments) == ("complete", 3, 9, SEGMENTS)
    assert done.finished_at is not None


async def test_the_first_end_counts(store: Store) -> None:
    one = start(await ann_of(store))
    for _ in range(2):
        await store.jobs.begin(one)
    await store.jobs.finish(one, status="cut", prompt_tokens=3, completion_tokens=9, segments=SEGMENTS)
    await store.jobs.begin(one)
    await store.jobs.finish(one, status="complete", prompt_tokens=4, completion_tokens=99, segments=SEGMENTS[:1])
    done = await store.jobs.find(JOB)
    assert done is not None
    assert (done.status, done.completion_tokens, done.segments) == ("cut", 9, SEGMENTS)


async def test_two_ends_at_once_make_one(store: Store) -> None:
    one = start(await ann_of(store))
    ends = [
        store.jobs.finish(one, status="complete", prompt_tokens=3, completion_tokens=9, segments=SEGMENTS) for _ in range(5)
    ]
    await asyncio.gather(*ends)
    done = await store.jobs.find(JOB)
    assert done is not None
    assert done.segments == SEGMENTS


async def test_a_job_may_be_written_at_its_end_only(store: Store) -> None:
    assert await store.jobs.find(JOB) is None
    await store.jobs.finish(
        start(await ann_of(store)), status="failed", prompt_tokens=3, completion_tokens=9, segments=SEGMENTS
    )
    done = await store.jobs.find(JOB)
    assert done is not None and done.finished_at is not None
    assert (done.status, done.completion_tokens, done.segments) == ("failed", 9, SEGMENTS)
    assert await store.jobs.lose_running() == 0


async def test_a_record_that_cannot_be_is_told_to_its_own_writer_only(store: Store) -> None:
    one, nobodys = start(await ann_of(store)), Start(job=JobId("job_2"), account=AccountId("acc_none"), model=MODEL, at_s=0.0)
    told = await asyncio.gather(store.jobs.begin(one), store.jobs.begin(nobodys), return_exceptions=True)
    assert [type(error).__name__ for error in told] == ["NoneType", "ForeignKeyViolationError"]
    assert store.jobs.steady


async def test_jobs_left_running_are_lost_and_may_still_end(store: Store) -> None:
    one = start(await ann_of(store))
    await store.jobs.begin(one)
    assert await store.jobs.lose_running() == 1
    assert await store.jobs.lose_running() == 0
    lost = await store.jobs.find(JOB)
    assert lost is not None
    assert lost.status == "lost"
    await store.jobs.finish(one, status="complete", prompt_tokens=1, completion_tokens=9, segments=SEGMENTS)
    done = await store.jobs.find(JOB)
    assert done is not None
    assert done.status == "complete"


# ---- workers ------------------------------------------------------------------------------------------------------------

HARDWARE = Hardware(
    cpu="A",
    cores_physical=2,
    cores_usable=1.5,
    memory_bytes=8,
    memory_available_bytes=4,
    gpus=(Gpu(name="G", backend="cuda", memory_bytes=2),),
)


async def test_a_worker_is_one_row_however_often_it_is_seen(store: Store) -> None:
    key = bytes(range(32))
    for name in ("first", "second"):
        await store.workers.seen(worker=worker_id(key), public_key=key, name=name, hardware=HARDWARE, agent="0.1")
    (worker,) = await store.workers.list()
    assert (worker.worker, worker.public_key, worker.name, worker.agent) == (worker_id(key), key, "second", "0.1")
    assert worker.hardware["cores_usable"] == 1.5
    assert worker.hardware["gpus"][0]["name"] == "G"
    assert worker.last_seen > worker.first_seen


async def test_a_worker_with_anothers_id_is_refused(store: Store) -> None:
    key = bytes(range(32))
    await store.workers.seen(worker=worker_id(key), public_key=key, name="a", hardware=HARDWARE)
    with pytest.raises(PermissionDenied):
        await store.workers.seen(worker=worker_id(key), public_key=bytes(32), name="b", hardware=HARDWARE)
    assert [worker.name for worker in await store.workers.list()] == ["a"]


# ---- models -------------------------------------------------------------------------------------------------------------


async def test_a_model_is_remembered_as_it_was_last_offered(store: Store) -> None:
    first = ModelCard(
        model=MODEL,
        kind="chat",
        context_tokens=9,
        vocabulary_tokens=9,
        tool_format="hermes",
        workers=1,
        created=0,
        file_sha256=("ab",),
    )
    await store.models.seen([first])
    (told,) = await store.models.recent()
    assert (told.tool_format, told.reasoning_format, told.workers) == ("hermes", "", 0)
    await store.models.seen([replace(first, tool_format="qwen-coder", reasoning_format="think")])
    (told,) = await store.models.recent()
    assert (told.tool_format, told.reasoning_format, told.file_sha256) == ("qwen-coder", "think", ("ab",))


# ---- the owner ----------------------------------------------------------------------------------------------------------


async def test_the_owners_key_is_made_once_and_only_the_owner_can_read_it(store: Store, tmp_path: Path) -> None:
    key = await ensure_owner(store, tmp_path, "http://127.0.0.1:8000/v1")
    assert await ensure_owner(store, tmp_path, "http://127.0.0.1:8000/v1") == key
    assert await store.accounts.authenticate(key) is not None
    file = tmp_path / "client.json"
    assert json.loads(file.read_text()) == {"base_url": "http://127.0.0.1:8000/v1", "api_key": key}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["client.json"]


async def test_another_port_keeps_the_key(store: Store, tmp_path: Path) -> None:
    key = await ensure_owner(store, tmp_path, "http://127.0.0.1:8000/v1")
    assert await ensure_owner(store, tmp_path, "http://127.0.0.1:9000/v1") == key
    found = read_client_file(tmp_path)
    assert found is not None
    assert found.base_url == "http://127.0.0.1:9000/v1"


@pytest.mark.parametrize("content", [None, "{", '{"base_url": "x", "api_key": "im_aaaaaaaaaaaa_bbbb"}'])
async def test_a_lost_or_wrong_key_is_replaced_by_another_of_the_same_account(
    store: Store, tmp_path: Path, content: str | None
) -> None:
    first = await ensure_owner(store, tmp_path, "http://127.0.0.1:8000/v1")
    (tmp_path / "client.json").unlink()
    if content is not None:
        (tmp_path / "client.json").write_text(content)
    second = await ensure_owner(store, tmp_path, "http://127.0.0.1:8000/v1")
    assert second != first
    assert await store.accounts.authenticate(second) == await store.accounts.authenticate(first)
    assert stat.S_IMODE((tmp_path / "client.json").stat().st_mode) == 0o600
