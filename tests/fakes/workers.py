"""A worker in memory: the real worker session over a socket that is a list."""

from dataclasses import dataclass, field

from iamine.identity import Identity
from iamine.ids import ModelId
from iamine.wire.codec import decode_from_pool, encode
from iamine.wire.messages import (
    FromPool,
    Goodbye,
    Hardware,
    Held,
    Hello,
    Message,
    ModelOffer,
    ToWorker,
)
from iamine.wire.session import Ended, WorkerSession, Working
from pool.hub import Hub, Link

HARDWARE = Hardware(cpu="fake", cores_physical=1, cores_usable=1.0, memory_bytes=1, memory_available_bytes=1)


def offer(model: str = "m", *, slots: int = 1, file: str = "f", context: int = 100, kind: str = "chat") -> ModelOffer:
    """A model that a fake worker serves."""
    return ModelOffer(
        model=ModelId(model),
        file_sha256=file,
        slots=slots,
        context_tokens=context,
        vocabulary_tokens=1000,
        decode_tps=10.0,
        prefill_tps=10.0,
        kind="embedding" if kind == "embedding" else "chat",
    )


@dataclass
class ListSocket:
    """Keeps what the hub sends."""

    frames: list[bytes] = field(default_factory=list)
    closed: bool = False

    def send(self, frame: bytes) -> None:
        self.frames.append(frame)

    def close(self) -> None:
        self.closed = True


class FakeWorker:
    """One link to a hub, driven by the test."""

    def __init__(self, hub: Hub, *, seed: int = 1, offers: tuple[ModelOffer, ...] | None = None) -> None:
        self.hub = hub
        self.identity = Identity.from_seed(seed.to_bytes(32, "big"))
        self.offers = (offer(),) if offers is None else offers
        self.session = WorkerSession(identity=self.identity, pinned_pool_key=None, nonce=bytes(32), agent="fake")
        self.socket = ListSocket()
        self.link: Link = hub.connect(self.socket)
        self.work: list[ToWorker] = []
        self.goodbye: Goodbye | None = None

    def say(self, message: Message) -> None:
        """Worker -> hub."""
        self.hub.receive(self.link, encode(message))
        self.read()

    def hello(self, *holding: Held) -> Hello:
        """The hello that this worker would say now."""
        return self.session.hello(hardware=HARDWARE, models=self.offers, name="fake", holding=holding)

    def knock(self) -> "FakeWorker":
        """Through the challenge, up to the hello."""
        self.say(self.session.knock())
        return self

    def join(self, *holding: Held) -> "FakeWorker":
        """Through the whole hello."""
        self.knock()
        self.say(self.hello(*holding))
        return self

    def read(self) -> None:
        """Take what the hub sent."""
        frames, self.socket.frames = self.socket.frames, []
        for frame in frames:
            self._read(decode_from_pool(frame))

    def _read(self, message: FromPool) -> None:
        match self.session.receive(message):
            case Working(message=work):
                self.work.append(work)
            case Ended(goodbye=goodbye):
                self.goodbye = goodbye
            case _:
                pass
