"""The order of messages at both ends of a link, as sans-I/O state machines: a table of who may say what when.

    worker -> Knock(nonce_w)          pool -> Challenge(pool_key, nonce_p, now, signature)
    worker -> Hello(worker_key, signature, offers)        pool -> Welcome(session)
    then jobs, frames and heartbeats until Goodbye

The pool signs first, so a worker tells nothing to a pool that is not the pinned one; the worker's signature covers the
pool's key, so nobody in between can pass it on to another pool. Neither class reads a clock or draws a nonce.
"""

from dataclasses import dataclass
from enum import Enum

from iamine.identity import Identity, fingerprint, verify
from iamine.ids import SessionId, WorkerId, worker_id
from iamine.wire.errors import BadSignature, OutOfOrder, UnknownVersion, WireError
from iamine.wire.messages import (
    LATER,
    WIRE_VERSION,
    Cancel,
    Challenge,
    Claim,
    Demand,
    Drain,
    Embedded,
    Failed,
    Finished,
    FromPool,
    FromWorker,
    Goodbye,
    Hardware,
    Heartbeat,
    Held,
    Hello,
    Job,
    Knock,
    ManifestUpdate,
    ModelOffer,
    Models,
    Progress,
    Resume,
    Standing,
    Started,
    Step,
    ToWorker,
    Value,
    Welcome,
)

MAX_AGENT_CHARACTERS = 64
_POOL_CONTEXT = b"iamine wire 1 pool\0"
_WORKER_CONTEXT = b"iamine wire 1 worker\0"


class State(Enum):
    """Where a link stands."""

    NEW = "new"
    KNOCKED = "knocked"
    HELLO = "hello"
    OPEN = "open"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenged:
    """Worker's end: the pool proved this key; say `hello` if it is the one you trust."""

    pool_key: bytes
    now: float
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """Worker's end: the pool took us."""

    worker: WorkerId
    session: SessionId
    heartbeat_busy_s: float
    heartbeat_idle_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """Worker's end: something to do."""

    message: ToWorker


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The other side said goodbye."""

    goodbye: Goodbye


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Pool's end: send this."""

    message: Challenge


@dataclass(frozen=True, slots=True, kw_only=True)
class Introduced:
    """Pool's end: this worker proved its key; answer with `welcome` or a goodbye."""

    worker: WorkerId
    hello: Hello


class Heard(Value, frozen=True, kw_only=True):
    """Pool's end: a frame of an open session."""

    message: Started | Progress | Step | Finished | Embedded | Failed | Heartbeat | Models | Drain


def pool_transcript(pool_key: bytes, worker_nonce: bytes, pool_nonce: bytes, now: float) -> bytes:
    """What the pool signs: fixed-length parts, so no two transcripts are the same bytes."""
    return _POOL_CONTEXT + pool_key + worker_nonce + pool_nonce + f"{now:.6f}".encode()


def worker_transcript(pool_key: bytes, worker_key: bytes, worker_nonce: bytes, pool_nonce: bytes) -> bytes:
    """What the worker signs."""
    return _WORKER_CONTEXT + pool_key + worker_key + worker_nonce + pool_nonce


class WorkerSession:
    """The worker's end of one link."""

    def __init__(self, *, identity: Identity, pinned_pool_key: bytes | None, nonce: bytes, agent: str) -> None:
        self._identity = identity
        self._pinned = pinned_pool_key
        self._nonce = nonce
        self._agent = agent
        self._pool_key = b""
        self._pool_nonce = b""
        self.state = State.NEW

    def knock(self) -> Knock:
        """The first message."""
        self._expect(State.NEW, "knock")
        self.state = State.KNOCKED
        return Knock(versions=(WIRE_VERSION,), nonce=self._nonce, agent=self._agent)

    def hello(
        self,
        *,
        hardware: Hardware,
        models: tuple[ModelOffer, ...],
        name: str,
        holding: tuple[Held, ...] = (),
        manifest: int = 0,
    ) -> Hello:
        """The answer to Challenged. Raises OutOfOrder before it."""
        self._expect(State.HELLO, "hello")
        key = self._identity.public_key
        signature = self._identity.sign(worker_transcript(self._pool_key, key, self._nonce, self._pool_nonce))
        return Hello(
            worker_key=key,
            signature=signature,
            hardware=hardware,
            models=models,
            name=name,
            holding=holding,
            manifest=manifest,
            speaks=LATER,
        )

    def receive(self, message: FromPool) -> Challenged | Accepted | Working | Ended:
        """What a message from the pool means now. Raises WireError: say goodbye with its code."""
        match message:
            case Goodbye():
                self.state = State.ENDED
                return Ended(goodbye=message)
            case Challenge():
                self._expect(State.KNOCKED, "challenge")
                return self._challenged(message)
            case Welcome():
                self._expect(State.HELLO, "welcome")
                self.state = State.OPEN
                return Accepted(
                    worker=message.worker,
                    session=message.session,
                    heartbeat_busy_s=message.heartbeat_busy_s,
                    heartbeat_idle_s=message.heartbeat_idle_s,
                )
            case Job() | Cancel() | Resume() | Drain() | Standing() | ManifestUpdate() | Claim() | Demand():
                self._expect(State.OPEN, type(message).__name__.lower())
                return Working(message=message)

    def _challenged(self, message: Challenge) -> Challenged:
        if message.version != WIRE_VERSION:
            raise UnknownVersion(f"the pool chose wire version {message.version}; this agent speaks {WIRE_VERSION}")
        if self._pinned is not None and message.pool_key != self._pinned:
            raise WireError(
                "pool_key_changed",
                f"the pool shows the key {fingerprint(message.pool_key)}, but {fingerprint(self._pinned)} is pinned",
                fatal=True,
                hint="if the pool's operator confirms the new key, remove the pinned one",
            )
        if not verify(
            message.pool_key,
            message.signature,
            pool_transcript(message.pool_key, self._nonce, message.nonce, message.now),
        ):
            raise BadSignature("the pool's signature does not match its key")
        self._pool_key, self._pool_nonce = message.pool_key, message.nonce
        self.state = State.HELLO
        return Challenged(pool_key=message.pool_key, now=message.now, name=message.name)

    def _expect(self, state: State, what: str) -> None:
        if self.state is not state:
            raise OutOfOrder(f"{what} while the link is {self.state.value}")


class PoolSession:
    """The pool's end of one link."""

    def __init__(self, *, identity: Identity, nonce: bytes, name: str) -> None:
        self._identity = identity
        self._nonce = nonce
        self._name = name
        self._worker_nonce = b""
        self.state = State.NEW
        self.worker: WorkerId | None = None  # proven, once there
        self.agent = ""  # the worker's program, as it says

    def receive(self, message: FromWorker, *, now: float) -> Reply | Introduced | Heard | Ended:
        """What a message from the worker means now (`now`: seconds since 1970). Raises WireError."""
        match message:
            case Step() if self.state is State.OPEN:  # first, for there are most of them
                return Heard(message=message)
            case Goodbye():
                self.state = State.ENDED
                return Ended(goodbye=message)
            case Knock():
                self._expect(State.NEW, "knock")
                return self._knocked(message, now)
            case Hello():
                self._expect(State.KNOCKED, "hello")
                return self._introduced(message)
            case _:
                self._expect(State.OPEN, type(message).__name__.lower())
                return Heard(message=message)

    def welcome(self, *, session: SessionId, heartbeat_busy_s: float, heartbeat_idle_s: float) -> Welcome:
        """The answer to Introduced when the worker may stay. Raises OutOfOrder before it."""
        if self.state is not State.HELLO or self.worker is None:
            raise OutOfOrder(f"welcome while the link is {self.state.value}")
        self.state = State.OPEN
        return Welcome(
            worker=self.worker, session=session, heartbeat_busy_s=heartbeat_busy_s, heartbeat_idle_s=heartbeat_idle_s
        )

    def _knocked(self, message: Knock, now: float) -> Reply:
        if WIRE_VERSION not in message.versions:
            theirs = ", ".join(str(version) for version in message.versions) or "none"
            raise UnknownVersion(f"this pool speaks wire version {WIRE_VERSION}, the worker {theirs}")
        self._worker_nonce = message.nonce
        self.agent = message.agent[:MAX_AGENT_CHARACTERS]
        self.state = State.KNOCKED
        key = self._identity.public_key
        signature = self._identity.sign(pool_transcript(key, message.nonce, self._nonce, now))
        return Reply(
            message=Challenge(
                version=WIRE_VERSION, pool_key=key, nonce=self._nonce, now=now, signature=signature, name=self._name
            )
        )

    def _introduced(self, message: Hello) -> Introduced:
        transcript = worker_transcript(self._identity.public_key, message.worker_key, self._worker_nonce, self._nonce)
        if not verify(message.worker_key, message.signature, transcript):
            raise BadSignature("the worker's signature does not match its key")
        self.worker = worker_id(message.worker_key)
        self.state = State.HELLO
        return Introduced(worker=self.worker, hello=message)

    def _expect(self, state: State, what: str) -> None:
        if self.state is not state:
            raise OutOfOrder(f"{what} while the link is {self.state.value}")
