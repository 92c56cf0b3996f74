"""The fair queue: nobody is passed over, and a flood waits behind itself."""

from hypothesis import given
from hypothesis import strategies as st

from iamine.ids import AccountId, JobId
from pool.routing.queue import FairQueue

A, B, C = AccountId("a"), AccountId("b"), AccountId("c")


def idle(_account: AccountId) -> float:
    return 0.0


def one(_account: AccountId) -> float:
    return 1.0


def queue_of(*entries: tuple[str, AccountId]) -> FairQueue:
    queue = FairQueue(idle)
    for job, account in entries:
        queue.push(JobId(job), account)
    return queue


def test_one_account_is_served_in_order_of_arrival() -> None:
    assert list(queue_of(("1", A), ("2", A), ("3", A)).order(one)) == ["1", "2", "3"]


def test_a_flood_does_not_delay_another_account() -> None:
    assert list(queue_of(("1", A), ("2", A), ("3", A), ("4", B)).order(one)) == ["1", "4", "2", "3"]


def test_who_was_served_less_goes_first() -> None:
    served = {A: 5.0, B: 0.0, C: 1.0}
    queue = FairQueue(served.__getitem__)
    for job, account in (("1", A), ("2", B), ("3", C)):
        queue.push(JobId(job), account)
    assert list(queue.order(one)) == ["2", "3", "1"]
    assert queue.first() == "2"
    served[B], served[A] = 9.0, 0.5
    queue.fell(A)
    assert queue.first() == "1"
    assert queue.remove(JobId("1")) and queue.first() == "3"
    queue.fell(A)  # who has no job here is not in any line


@given(st.lists(st.tuples(st.sampled_from(["push", "drop", "rise", "fall"]), st.integers(0, 4)), max_size=80))
def test_the_first_is_whoever_a_look_at_all_lines_would_find(steps: list[tuple[str, int]]) -> None:
    keys = dict.fromkeys(map(AccountId, "01234"), 5.0)
    queue, jobs = FairQueue(keys.__getitem__), list[tuple[int, AccountId]]()
    for number, (what, which) in enumerate(steps):
        account = AccountId(str(which))
        if what == "push":
            queue.push(JobId(str(number)), account)
            jobs.append((number, account))
        elif what == "drop" and len(jobs) > which:
            gone = jobs.pop(which)
            assert queue.remove(JobId(str(gone[0])))
        elif what == "rise":
            keys[account] += which + 0.5
        elif what == "fall":
            keys[account] -= 1.0
            queue.fell(account)
        expected = min(jobs, key=lambda job: (keys[job[1]], job[0]), default=None)
        assert queue.first() == (None if expected is None else JobId(str(expected[0])))
        assert next(queue.order(one), None) == queue.first()


def test_entries_that_are_out_of_date_are_not_kept_for_ever() -> None:
    queue = queue_of(("1", A), ("2", B))
    for _ in range(1000):
        queue.fell(A)
    assert len(queue._heap) < 100
    assert queue.first() == "1"
    assert list(queue.arrivals(1, 5)) == [(1, "2")]


def test_a_job_that_lost_its_worker_goes_before_all() -> None:
    queue = queue_of(("1", A), ("2", B))
    queue.push(JobId("9"), A, front=True)
    assert list(queue.order(one)) == ["9", "1", "2"]
    assert queue.remove(JobId("9"))
    assert not queue.remove(JobId("9"))
    assert len(queue) == 2 and JobId("9") not in queue and JobId("1") in queue


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=30), st.data())
def test_every_job_is_told_once_and_accounts_keep_their_order(entries: list[tuple[str, bool]], data: st.DataObject) -> None:
    queue = FairQueue(idle)
    for number, (account, front) in enumerate(entries):
        queue.push(JobId(str(number)), AccountId(account), front=front)
    gone = data.draw(st.sets(st.sampled_from(range(len(entries))))) if entries else set()
    for number in gone:
        assert queue.remove(JobId(str(number)))
    told = [int(job) for job in queue.order(one)]
    assert sorted(told) == [number for number in range(len(entries)) if number not in gone]
    for account in "abc":
        mine = [number for number in told if entries[number] == (account, False)]
        assert mine == sorted(mine)


def test_lines_are_counted_without_those_at_the_front() -> None:
    queue = FairQueue(idle)
    for job, account in (("1", "a"), ("2", "a"), ("3", "b")):
        queue.push(JobId(job), AccountId(account))
    queue.push(JobId("4"), AccountId("b"), front=True)
    assert dict(queue.lengths()) == {"a": 2, "b": 1}
