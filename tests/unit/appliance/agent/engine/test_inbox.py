"""The inbox: everything at once, and cancels that come early are kept in mind."""

from appliance.agent.engine.inbox import MAX_REMEMBERED_CANCELS, Inbox
from iamine.ids import JobId
from iamine.wire.messages import Cancel


def test_all_that_waits_comes_at_once_in_order() -> None:
    inbox = Inbox()
    cancels = [Cancel(job=JobId("a"), epoch=n) for n in range(3)]
    for cancel in cancels:
        inbox.put(cancel)
    assert inbox.receive(None) == cancels
    assert inbox.receive(0) == []
    assert inbox.receive(0.001) == []


def test_an_early_cancel_hits_its_job_once() -> None:
    inbox = Inbox()
    inbox.remember(("a", 1))
    assert not inbox.was_cancelled(("a", 2))
    assert inbox.was_cancelled(("a", 1))
    assert not inbox.was_cancelled(("a", 1))


def test_the_memory_of_cancels_is_bounded() -> None:
    inbox = Inbox()
    for n in range(MAX_REMEMBERED_CANCELS + 1):
        inbox.remember(("a", n))
    assert not inbox.was_cancelled(("a", 0))
    assert inbox.was_cancelled(("a", 1))
