"""The fair queue: nobody is passed over, and a flood waits behind itself."""

from hypothesis import given
from hypothesis import strategies as st

from iamine.ids import AccountId, JobId
from pool.routing.queue import FairQueue

A, B, C = AccountId("a"), AccountId("b"), AccountId("c")


def idle(_account: AccountId) -> int:
    return 0


def queue_of(*entries: tuple[str, AccountId]) -> FairQueue:
    queue = FairQueue()
    for job, account in entries:
        queue.push(JobId(job), account)
    return queue


def test_one_account_is_served_in_order_of_arrival() -> None:
    assert list(queue_of(("1", A), ("2", A), ("3", A)).order(idle)) == ["1", "2", "3"]


def test_a_flood_does_not_delay_another_account() -> None:
    assert list(queue_of(("1", A), ("2", A), ("3", A), ("4", B)).order(idle)) == ["1", "4", "2", "3"]


def test_who_runs_less_goes_first() -> None:
    running = {A: 5, B: 0, C: 1}
    assert list(queue_of(("1", A), ("2", B), ("3", C)).order(running.__getitem__)) == ["2", "3", "1"]


def test_a_job_that_lost_its_worker_goes_before_all() -> None:
    queue = queue_of(("1", A), ("2", B))
    queue.push(JobId("9"), A, front=True)
    assert list(queue.order(idle)) == ["9", "1", "2"]
    assert queue.remove(JobId("9"))
    assert not queue.remove(JobId("9"))
    assert len(queue) == 2 and JobId("9") not in queue and JobId("1") in queue


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=30), st.data())
def test_every_job_is_told_once_and_accounts_keep_their_order(entries: list[tuple[str, bool]], data: st.DataObject) -> None:
    queue = FairQueue()
    for number, (account, front) in enumerate(entries):
        queue.push(JobId(str(number)), AccountId(account), front=front)
    gone = data.draw(st.sets(st.sampled_from(range(len(entries))))) if entries else set()
    for number in gone:
        assert queue.remove(JobId(str(number)))
    told = [int(job) for job in queue.order(idle)]
    assert sorted(told) == [number for number in range(len(entries)) if number not in gone]
    for account in "abc":
        mine = [number for number in told if entries[number] == (account, False)]
        assert mine == sorted(mine)


def test_lines_are_counted_without_those_at_the_front() -> None:
    queue = FairQueue()
    for job, account in (("1", "a"), ("2", "a"), ("3", "b")):
        queue.push(JobId(job), AccountId(account))
    queue.push(JobId("4"), AccountId("b"), front=True)
    assert dict(queue.lengths()) == {"a": 2, "b": 1}
