"""Places in the queue: exact in front, rough behind, and never many at once."""

from iamine.ids import AccountId, JobId, ModelId
from pool.routing.places import EXACT, ROUGH_A_SECOND, Places
from pool.routing.queue import FairQueue

M = ModelId("m")


def turn(_account: AccountId) -> float:
    return 1.0


def queue_of(count: int, account: str = "a") -> FairQueue:
    queue = FairQueue(lambda _account: 0.0)
    for number in range(count):
        queue.push(JobId(f"{account}{number}"), AccountId(account))
    return queue


def test_the_place_is_exact_in_front_and_the_length_behind() -> None:
    places, queue = Places(), queue_of(EXACT + 50)
    assert places.of(JobId("a4"), queue, turn) == 5
    assert places.of(JobId(f"a{EXACT + 9}"), queue, turn) == EXACT + 50
    queue.push(JobId("b"), AccountId("b"))
    assert places.of(JobId("b"), queue, turn) == 2


def test_news_come_once_a_second_and_tell_a_long_queue_in_turns() -> None:
    places, queues = Places(), {M: queue_of(3 * ROUGH_A_SECOND)}
    told: set[JobId] = set()
    for second in range(3):
        news = places.news(queues, turn, float(second))
        assert len(news) <= EXACT + ROUGH_A_SECOND
        assert news[4] == (M, JobId("a4"), 5)
        assert all(place > EXACT for _, _, place in news[EXACT:])
        told.update(job for _, job, _ in news)
        assert places.news(queues, turn, second + 0.5) == []
    assert len(told) == 3 * ROUGH_A_SECOND
    assert len(places.news(queues, turn, 3.0)) > EXACT, "and again from the start"
