"""The hello: both ends prove their keys, nobody can stand in between, and nothing may come out of order."""

import pytest

from iamine.identity import Identity
from iamine.ids import JobId, ModelId, SessionId, WorkerId, worker_id
from iamine.wire.errors import BadSignature, OutOfOrder, UnknownVersion, WireError
from iamine.wire.messages import (
    Cancel,
    Challenge,
    Drain,
    Goodbye,
    Hardware,
    Heartbeat,
    Hello,
    Knock,
    ModelOffer,
    Step,
    Welcome,
)
from iamine.wire.session import (
    Accepted,
    Challenged,
    Ended,
    Heard,
    Introduced,
    PoolSession,
    Reply,
    State,
    WorkerSession,
    Working,
)

POOL, WORKER, OTHER = (Identity.from_seed(bytes([n]) * 32) for n in (1, 2, 3))
HARDWARE = Hardware(cpu="x", cores_physical=1, cores_usable=1.0, memory_bytes=1, memory_available_bytes=1)
OFFER = ModelOffer(model=ModelId("mote"), file_sha256="ab", slots=1, context_tokens=8, vocabulary_tokens=8)


def worker_end(pinned: bytes | None = None, nonce: bytes = b"w" * 32) -> WorkerSession:
    return WorkerSession(identity=WORKER, pinned_pool_key=pinned, nonce=nonce, agent="test")


def pool_end(identity: Identity = POOL) -> PoolSession:
    return PoolSession(identity=identity, nonce=b"p" * 32, name="pool")


def challenge(pool: PoolSession, worker: WorkerSession, now: float = 1e9) -> Challenge:
    reply = pool.receive(worker.knock(), now=now)
    assert isinstance(reply, Reply)
    return reply.message


def hello(worker: WorkerSession) -> Hello:
    return worker.hello(hardware=HARDWARE, models=(OFFER,), name="w")


def opened() -> tuple[PoolSession, WorkerSession]:
    pool, worker = pool_end(), worker_end()
    worker.receive(challenge(pool, worker))
    pool.receive(hello(worker), now=0.0)
    worker.receive(pool.welcome(session=SessionId("s"), heartbeat_busy_s=1.0, heartbeat_idle_s=15.0))
    return pool, worker


def test_two_honest_ends_open_a_link() -> None:
    pool, worker = pool_end(), worker_end(pinned=POOL.public_key)
    seen = worker.receive(challenge(pool, worker, now=123.25))
    assert seen == Challenged(pool_key=POOL.public_key, now=123.25, name="pool")
    introduced = pool.receive(hello(worker), now=124.0)
    assert isinstance(introduced, Introduced)
    assert introduced.worker == worker_id(WORKER.public_key) == pool.worker
    accepted = worker.receive(pool.welcome(session=SessionId("s"), heartbeat_busy_s=1.0, heartbeat_idle_s=15.0))
    assert accepted == Accepted(
        worker=worker_id(WORKER.public_key), session=SessionId("s"), heartbeat_busy_s=1.0, heartbeat_idle_s=15.0
    )
    assert pool.state is worker.state is State.OPEN


def test_open_ends_pass_work_and_frames_on() -> None:
    pool, worker = opened()
    for message in (Cancel(job=JobId("j"), epoch=1), Drain()):
        assert worker.receive(message) == Working(message=message)
    for frame in (Heartbeat(running=0), Step(sequences=()), Drain()):
        assert pool.receive(frame, now=0.0) == Heard(message=frame)


def test_goodbye_ends_either_side_at_any_time() -> None:
    goodbye = Goodbye(code="x", reason="y")
    for end in (worker_end(), opened()[1]):
        assert end.receive(goodbye) == Ended(goodbye=goodbye)
        assert end.state is State.ENDED
    for pool in (pool_end(), opened()[0]):
        assert pool.receive(goodbye, now=0.0) == Ended(goodbye=goodbye)
        assert pool.state is State.ENDED


def test_a_pool_without_the_pinned_key_learns_nothing() -> None:
    pool, worker = pool_end(OTHER), worker_end(pinned=POOL.public_key)
    with pytest.raises(WireError) as caught:
        worker.receive(challenge(pool, worker))
    assert caught.value.code == "pool_key_changed"
    assert caught.value.fatal
    with pytest.raises(OutOfOrder):
        hello(worker)


def test_a_pool_that_shows_anothers_key_is_refused() -> None:
    pool, worker = pool_end(OTHER), worker_end()
    genuine = challenge(pool, worker)
    forged = Challenge(version=1, pool_key=POOL.public_key, nonce=genuine.nonce, now=genuine.now, signature=genuine.signature)
    with pytest.raises(BadSignature):
        worker.receive(forged)


def test_a_pool_cannot_change_the_time_that_was_signed() -> None:
    pool, worker = pool_end(), worker_end()
    c = challenge(pool, worker)
    with pytest.raises(BadSignature):
        worker.receive(Challenge(version=1, pool_key=c.pool_key, nonce=c.nonce, now=c.now + 1, signature=c.signature))


def test_a_worker_with_a_wrong_signature_is_refused() -> None:
    pool, worker = pool_end(), worker_end()
    worker.receive(challenge(pool, worker))
    genuine = hello(worker)
    for forged in (
        Hello(worker_key=OTHER.public_key, signature=genuine.signature, hardware=HARDWARE, models=()),
        Hello(worker_key=genuine.worker_key, signature=bytes(64), hardware=HARDWARE, models=()),
    ):
        with pytest.raises(BadSignature):
            pool.receive(forged, now=0.0)
    assert pool.worker is None


def test_a_hello_cannot_be_passed_on_to_another_pool() -> None:
    """A pool in the middle gets a worker's hello, but it covers that pool's own key."""
    middle, worker, target = pool_end(OTHER), worker_end(), pool_end(POOL)
    target.receive(worker_end().knock(), now=0.0)
    worker.receive(challenge(middle, worker))
    with pytest.raises(BadSignature):
        target.receive(hello(worker), now=0.0)


def test_versions_must_meet() -> None:
    with pytest.raises(UnknownVersion):
        pool_end().receive(Knock(versions=(2, 3), nonce=bytes(32)), now=0.0)
    with pytest.raises(UnknownVersion):
        pool_end().receive(Knock(versions=(), nonce=bytes(32)), now=0.0)
    worker = worker_end()
    worker.knock()
    with pytest.raises(UnknownVersion):
        worker.receive(Challenge(version=2, pool_key=bytes(32), nonce=bytes(32), now=0.0, signature=bytes(64)))


def test_nothing_may_come_before_its_time() -> None:
    welcome = Welcome(worker=WorkerId("w"), session=SessionId("s"))
    for early in (welcome, Drain(), Cancel(job=JobId("j"), epoch=1)):
        with pytest.raises(OutOfOrder):
            worker_end().receive(early)
    with pytest.raises(OutOfOrder):
        worker_end().receive(Challenge(version=1, pool_key=bytes(32), nonce=bytes(32), now=0.0, signature=bytes(64)))
    for frame in (Heartbeat(running=0), Step(sequences=()), Hello(worker_key=b"", signature=b"", hardware=HARDWARE, models=())):
        with pytest.raises(OutOfOrder):
            pool_end().receive(frame, now=0.0)
    with pytest.raises(OutOfOrder):
        pool_end().welcome(session=SessionId("s"), heartbeat_busy_s=1.0, heartbeat_idle_s=1.0)


def test_nothing_of_the_hello_may_come_twice() -> None:
    pool, worker = opened()
    with pytest.raises(OutOfOrder):
        pool.receive(Knock(versions=(1,), nonce=bytes(32)), now=0.0)
    with pytest.raises(OutOfOrder):
        worker.knock()
