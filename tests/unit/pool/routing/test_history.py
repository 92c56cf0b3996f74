"""What became of a job is told while it lives and for a while after."""

from iamine.ids import JobId, WorkerId
from pool.routing.history import MOST_ENDED, MOST_TAKEOVERS, Histories, Takeover, story
from pool.routing.types import Segment

J, W, V = JobId("j"), WorkerId("w"), WorkerId("v")


def test_a_history_tells_waits_segments_and_takeovers() -> None:
    histories = Histories()
    history = histories.begin(J, 10.0)
    assert history.waiting_s(12.0) == 2.0
    history.sent(W, "first", 13.0)
    history.tokens = 5
    history.lost("stalled", 20.0)
    history.lost("silent", 20.5)
    history.sent(V, "second", 21.0)
    history.tokens = 9
    assert history.segments() == (Segment(worker=W, start=0, stop=5), Segment(worker=V, start=5, stop=9))
    assert history.takeovers == [Takeover(worker=W, token=5, why="stalled", after_s=10.0)]
    assert history.waiting_s(99.0) == 3.5
    histories.end(J, 30.0)
    assert histories.of(J) == (history,) and history.over


def test_who_comes_again_goes_on_and_who_gave_nothing_has_no_segment() -> None:
    history = Histories().begin(J, 0.0)
    for worker in (W, W, V):
        history.sent(worker, "", 0.0)
    history.tokens = 3
    assert history.segments() == (Segment(worker=V, start=0, stop=3),)


def test_the_choices_of_a_request_are_told_together() -> None:
    histories = Histories()
    for choice in range(3):
        histories.begin(JobId(f"j.{choice}"), float(choice)).sent(W, f"why {choice}", 4.0)
    first, *_ = found = histories.of(J)
    first.lost("lost link", 5.0)
    assert len(found) == 3 and histories.of(JobId("other")) == ()
    told = story(found, 6.0)
    assert (told.reason, told.waited_s) == ("why 2", 5.0)
    assert told.takeovers == ((0, Takeover(worker=W, token=0, why="lost link", after_s=5.0)),)
    assert story((), 0.0).takeovers == ()


def test_both_memories_are_bounded() -> None:
    histories = Histories()
    history = histories.begin(J, 0.0)
    for number in range(MOST_TAKEOVERS + 9):
        history.sent(WorkerId(f"w{number}"), "", 0.0)
        history.lost("silent", 0.0)
    assert len(history.takeovers) == len(history.givers) == MOST_TAKEOVERS
    histories.end(J, 0.0)
    for number in range(MOST_ENDED):
        histories.begin(JobId(str(number)), 0.0)
        histories.end(JobId(str(number)), 0.0)
    assert histories.of(J) == () and histories.of(JobId("0"))
