"""Workers that keep no rule of the wire: they join as real ones do, are given real jobs, and answer with what is wrong."""

import asyncio
import contextlib
import json
import secrets
from random import Random
from typing import Any

import msgspec
from damage import NASTY_NUMBERS, damaged, spoilt
from fakes.wire import HARDWARE, WireWorker, offer
from websockets.exceptions import ConnectionClosed

from iamine.ids import JobId, ModelId
from iamine.wire.codec import decode_from_pool, encode
from iamine.wire.messages import (
    MAX_FRAME_BYTES,
    Drain,
    Embedded,
    Failed,
    Finished,
    Goodbye,
    Heartbeat,
    Hello,
    Job,
    Knock,
    Message,
    ModelOffer,
    Models,
    Progress,
    SequenceStep,
    Started,
    Step,
    TokenLogprob,
    TopToken,
)

HOSTILE = "hostile"
FRAMES_A_SESSION = 60
CONNECT = b"GET /v1/workers/connect HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
UPGRADE = CONNECT + b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"


def offered(name: str = HOSTILE) -> ModelOffer:
    return msgspec.structs.replace(offer(), model=ModelId(name), embedding_dimensions=4)


def told(draw: Random, job: JobId, epoch: int, index: int) -> Message:
    """Any message that a worker can say about a job."""
    top = TopToken(id=1, logprob=-1.0, bytes=(104,))
    logprob = TokenLogprob(id=1, logprob=-0.5, bytes=(104, 105), top=(top,))
    step = SequenceStep(job=job, epoch=epoch, index=index, ids=(1,), text="hi", logprobs=(logprob,))
    hello = Hello(worker_key=bytes(32), signature=bytes(64), hardware=HARDWARE, models=(offered(),), name="h")
    return draw.choice(
        [
            Started(job=job, epoch=epoch, prompt_tokens=3, prompt_sha256="ab" * 32, marks=("<think>",), reasoning=True),
            Progress(job=job, epoch=epoch, done_tokens=1, total_tokens=3),
            Step(sequences=(step,)),
            Step(sequences=(step, step)),
            Finished(job=job, epoch=epoch, tokens=index, reason="stop", text="x", stop="y"),
            Embedded(job=job, epoch=epoch, vectors=((0.5, 0.5, 0.5, 0.5),), prompt_tokens=2),
            Failed(job=job, epoch=epoch, code="no_slot", message="m", retryable=True),
            Heartbeat(running=1, ready=True, load=0.5),
            Models(models=(offered(), offered("other"))),
            Drain(reason="r"),
            Goodbye(code="leaving", reason="r"),
            Knock(versions=(1,), nonce=bytes(32), agent="a"),
            hello,
        ]
    )


class Hostile:
    """Sends `frames` frames in as many sessions as that takes; `sent` counts them."""

    def __init__(self, port: int, seed: int) -> None:
        self._port, self._draw = port, Random(seed)
        self.sent = 0

    async def run(self, frames: int) -> None:
        while self.sent < frames:
            session = self._draw.choices((self._joined, self._stranger, self._rubbish), (8, 1, 1))[0]
            with contextlib.suppress(ConnectionClosed, ConnectionError, asyncio.IncompleteReadError):
                await asyncio.wait_for(session(), 60)

    async def _joined(self) -> None:
        """A welcomed worker; most of its frames are about the jobs that it was given."""
        worker = await WireWorker(self._port, (offered(),)).join()
        socket: Any = worker._socket
        draw, jobs, index = self._draw, [(JobId("job_none"), 1)], 0
        try:
            for _ in range(FRAMES_A_SESSION):
                with contextlib.suppress(asyncio.TimeoutError):
                    async with asyncio.timeout(0.002):
                        message = decode_from_pool(await socket.recv())
                        if isinstance(message, Job):
                            jobs, index = [*jobs[-3:], (message.job, message.epoch)], 0
                            await self._send(socket, encode(Started(job=message.job, epoch=message.epoch, prompt_tokens=3)))
                job, epoch = jobs[-1] if draw.random() < 0.9 else draw.choice(jobs)
                epoch += draw.random() < 0.05 and draw.choice((-1, 1, 10**12))
                message = told(draw, job, epoch, index)
                good = encode(message)
                index += isinstance(message, Step)
                await self._send(socket, good if draw.random() < 0.3 else spoilt(draw, json.loads(good)))
        finally:
            worker.cut() if draw.random() < 0.5 else await worker.close()

    async def _stranger(self) -> None:
        """Nobody yet: frames where a knock, or a hello, is due."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        draw = self._draw
        if draw.random() < 0.5:
            self._write(writer, encode(Knock(versions=(1,), nonce=secrets.token_bytes(32))))
        for _ in range(draw.randint(1, 6)):
            self._write(writer, spoilt(draw, json.loads(encode(told(draw, JobId("j"), 1, 0)))))
        await writer.drain()
        await self._cut(reader, writer)

    async def _rubbish(self) -> None:
        """Bytes that are no WebSocket: heads damaged, frames with false lengths, pieces that never end, noise."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        draw = self._draw
        writer.write(UPGRADE if draw.random() < 0.7 else damaged(draw, UPGRADE))
        for _ in range(draw.randint(1, 30)):
            first, second = draw.randrange(256), draw.randrange(256)
            size = draw.choice((0, 1, 125, 126, 127, draw.choice(NASTY_NUMBERS)))
            length = int(size).to_bytes(8, "big", signed=True) if -(2**63) <= size < 2**63 else b""
            writer.write(bytes((first, second)) + length[draw.randrange(8) :] + draw.randbytes(draw.randrange(200)))
            self.sent += 1
        if draw.random() < 0.02:
            self._write(writer, b" " * (MAX_FRAME_BYTES + 1))
        await writer.drain()
        await self._cut(reader, writer)

    async def _send(self, socket: Any, frame: bytes) -> None:
        self.sent += 1
        try:
            await socket.send(frame.decode() if self._draw.random() < 0.1 else frame)
        except UnicodeDecodeError:
            await socket.send(frame)

    def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        """A masked frame with a mask of zeros."""
        size = len(data)
        if size < 126:
            head = bytes((0x82, 0x80 | size))
        else:
            head = b"\x82\xfe" + size.to_bytes(2, "big") if size < 65536 else b"\x82\xff" + size.to_bytes(8, "big")
        writer.write(head + bytes(4) + data)
        self.sent += 1

    async def _cut(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(reader.read(100_000), 0.05)
        writer.transport.abort()
