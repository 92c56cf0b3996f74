"""A worker with an instant engine on the real wire, before a pool that is a process of its own."""

import asyncio
import hashlib
import secrets
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from iamine.identity import Identity
from iamine.ids import ModelId
from iamine.wire.codec import decode_from_pool, encode
from iamine.wire.messages import (
    MAX_FRAME_BYTES,
    MAX_STEP_TOKENS,
    Embedded,
    EmbeddingWork,
    Finished,
    Hardware,
    Heartbeat,
    Job,
    ModelOffer,
    SequenceStep,
    Started,
    Step,
)
from iamine.wire.session import Accepted, Challenged, WorkerSession, Working

HARDWARE = Hardware(cpu="fake", cores_physical=1, cores_usable=1.0, memory_bytes=1, memory_available_bytes=1)
MODEL = "instant"


def offer() -> ModelOffer:
    """A model that answers "0 1 2 ..." at once."""
    return ModelOffer(
        model=ModelId(MODEL),
        file_sha256=hashlib.sha256(MODEL.encode()).hexdigest(),
        slots=64,
        context_tokens=65_536,
        vocabulary_tokens=100_000,
        prefill_tps=1e6,
        decode_tps=1e6,
    )


def text(count: int) -> str:
    """The whole answer."""
    return "".join(f" {index}" for index in range(count))


class WireWorker:
    """One connection; `offers` may be empty: a worker that is only there."""

    def __init__(self, port: int, offers: tuple[ModelOffer, ...] = ()) -> None:
        self._url = f"ws://127.0.0.1:{port}/v1/workers/connect"
        self._offers = offers
        self._identity = Identity.from_seed(secrets.token_bytes(32))
        self._socket: ClientConnection | None = None

    async def join(self) -> "WireWorker":
        """Connect, and be welcomed."""
        session = WorkerSession(identity=self._identity, pinned_pool_key=None, nonce=secrets.token_bytes(32), agent="fake")
        self._socket = socket = await connect(
            self._url, compression=None, max_size=MAX_FRAME_BYTES, proxy=None, ping_interval=None, open_timeout=60
        )
        await socket.send(encode(session.knock()))
        assert isinstance(session.receive(decode_from_pool(await socket.recv())), Challenged)
        await socket.send(encode(session.hello(hardware=HARDWARE, models=self._offers, name="fake")))
        assert isinstance(session.receive(decode_from_pool(await socket.recv())), Accepted)
        self._session = session
        return self

    async def serve(self) -> None:
        """Answer every job until the connection ends."""
        socket: Any = self._socket
        try:
            while True:
                try:
                    async with asyncio.timeout(5):
                        frame = await socket.recv()
                except TimeoutError:
                    await socket.send(encode(Heartbeat(running=0)))
                    continue
                match self._session.receive(decode_from_pool(frame)):
                    case Working(message=Job() as job):
                        await self._answer(socket, job)
                    case _:
                        pass
        except ConnectionClosed:
            return

    async def _answer(self, socket: ClientConnection, job: Job) -> None:
        if isinstance(job.work, EmbeddingWork):
            vectors = tuple((1.0, 0.0) for _ in job.work.inputs)
            await socket.send(encode(Embedded(job=job.job, epoch=job.epoch, vectors=vectors, prompt_tokens=5)))
            return
        count = min(job.sampling.max_tokens, MAX_STEP_TOKENS)
        step = SequenceStep(job=job.job, epoch=job.epoch, index=0, ids=tuple(range(count)), text=text(count))
        await socket.send(encode(Started(job=job.job, epoch=job.epoch, prompt_tokens=5)))
        await socket.send(encode(Step(sequences=(step,))))
        await socket.send(
            encode(
                Finished(
                    job=job.job, epoch=job.epoch, tokens=count, reason="length" if count == job.sampling.max_tokens else "stop"
                )
            )
        )

    def cut(self) -> None:
        """As a lost line does."""
        assert self._socket is not None
        self._socket.transport.abort()

    async def close(self) -> None:
        assert self._socket is not None
        await self._socket.close()
