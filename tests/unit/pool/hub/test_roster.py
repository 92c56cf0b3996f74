"""The roster: what came later than version 1 is told to those only who say that they understand it."""

from collections.abc import Callable
from itertools import count

import msgspec
import pytest
from fakes.workers import FakeWorker

from iamine.identity import Identity
from iamine.ids import WorkerId
from iamine.wire.messages import Claim
from pool.hub import Hub
from pool.hub.catalogue import Catalogue
from pool.routing.scheduler import Scheduler


@pytest.fixture
def hub() -> Hub:
    numbers = count()
    random: Callable[[int], bytes] = lambda size: next(numbers).to_bytes(size, "big")  # noqa: E731
    return Hub(
        identity=Identity.from_seed(bytes(32)),
        name="test",
        scheduler=Scheduler(),
        catalogue=Catalogue(remembered=(), created=0, now=0.0),
        monotonic=lambda: 0.0,
        wall=lambda: 0.0,
        random_bytes=random,
        on_hello=lambda worker, hello: None,
    )


def test_an_older_worker_is_told_nothing_that_would_end_its_link(hub: Hub) -> None:
    new, old = FakeWorker(hub, seed=1).join(), FakeWorker(hub, seed=2).knock()
    old.say(msgspec.structs.replace(old.hello(), speaks=()))
    for worker in (new, old):
        assert worker.link.worker is not None
        hub.tell(worker.link.worker, Claim(code="7KQ4-M2XN", valid_s=60.0))
        worker.read()
    assert new.work == [Claim(code="7KQ4-M2XN", valid_s=60.0)] and old.work == []


def test_who_is_not_here_is_told_nothing_and_serves_nothing(hub: Hub) -> None:
    hub.tell(WorkerId("wrk_nobody"), Claim(owner="x"))
    assert hub.serving(WorkerId("wrk_nobody")) is None
    worker = FakeWorker(hub).join()
    assert worker.link.worker is not None and hub.serving(worker.link.worker) == ("m",)
