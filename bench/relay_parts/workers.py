"""Fake workers with instant engines on the real wire: real sessions and messages over real WebSockets, in one process.

    python -m relay_parts.workers URL COUNT SLOTS FIRST      prints a line of JSON each time it is done

Reads commands from stdin, a line each: `more N` connects N further workers, `drop` cuts all connections and connects
them again at once, `quit` ends.
"""

import asyncio
import hashlib
import json
import sys
import time
from typing import Any
from urllib.parse import urlsplit

import uvloop
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.uri import parse_uri

from iamine.identity import Identity
from iamine.ids import ModelId
from iamine.wire.codec import decode_from_pool, encode
from iamine.wire.messages import (
    MAX_FRAME_BYTES,
    Cancel,
    Finished,
    Hardware,
    Heartbeat,
    Job,
    Message,
    ModelOffer,
    SequenceStep,
    Started,
    Step,
)
from iamine.wire.session import Accepted, Challenged, Ended, WorkerSession, Working
from relay_parts.tokens import MODEL, MODELS, PACE_S, PACED, WHOLE, raise_open_files, token

HARDWARE = Hardware(cpu="fake", cores_physical=1, cores_usable=1.0, memory_bytes=1, memory_available_bytes=1)
HEARTBEAT_S = 15.0


def offers(slots: int) -> tuple[ModelOffer, ...]:
    """The three models."""
    return tuple(
        ModelOffer(
            model=ModelId(model),
            file_sha256=hashlib.sha256(model.encode()).hexdigest(),
            slots=slots,
            context_tokens=65_536,
            vocabulary_tokens=100_000,
            prefill_tps=1e6,
            decode_tps=1e6,
        )
        for model in MODELS
    )


class Worker(asyncio.Protocol):
    """One connection; its engine answers token by token, one step frame for all that run."""

    def __init__(self, house: "House", number: int) -> None:
        self._house = house
        self._identity = Identity.from_seed(number.to_bytes(32, "big"))
        self._models = {offer.file_sha256: offer.model for offer in house.offers}
        self._running: dict[tuple[str, int], tuple[str, int, int]] = {}
        self._stepping = False
        self._transport: Any = None
        self._beat: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._websocket = ClientProtocol(parse_uri(self._house.url), max_size=MAX_FRAME_BYTES)
        self._session = WorkerSession(identity=self._identity, pinned_pool_key=None, nonce=bytes(32), agent="bench")
        self._websocket.send_request(self._websocket.connect())
        self._flush()

    def data_received(self, data: bytes) -> None:
        self._websocket.receive_data(data)
        for event in self._websocket.events_received():
            if isinstance(event, Response):
                self._say(self._session.knock())
            elif isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.BINARY):
                self._hear(bytes(event.data))
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._beat is not None:
            self._beat.cancel()
        self._running.clear()
        self._house.lost(self)

    def abort(self) -> None:
        self._transport.abort()

    def _hear(self, frame: bytes) -> None:
        match self._session.receive(decode_from_pool(frame)):
            case Challenged():
                self._say(self._session.hello(hardware=HARDWARE, models=self._house.offers, name="bench"))
            case Accepted(heartbeat_idle_s=every_s):
                self._house.joined(self)
                self._heartbeat(every_s)
            case Working(message=Job() as job):
                self._begin(job)
            case Working(message=Cancel(job=job, epoch=epoch)):
                self._running.pop((job, epoch), None)
            case Ended(goodbye=goodbye):
                print(json.dumps({"goodbye": goodbye.code, "reason": goodbye.reason}), file=sys.stderr, flush=True)
            case _:
                pass

    def _heartbeat(self, every_s: float) -> None:
        """Spread over the interval, as workers that came at different times are."""
        offset = (id(self) >> 4) % 1000 / 1000 if self._beat is None else 1.0
        if self._beat is not None:
            self._say(Heartbeat(running=len(self._running)))
        self._beat = asyncio.get_running_loop().call_later(offset * every_s, self._heartbeat, every_s)

    def _begin(self, job: Job) -> None:
        index, count, model = len(job.prefix), job.sampling.max_tokens, self._models[job.file_sha256]
        self._say(Started(job=job.job, epoch=job.epoch, prompt_tokens=10))
        if model == WHOLE:
            rest = range(index, count)
            text = "".join(map(token, rest))
            step = SequenceStep(job=job.job, epoch=job.epoch, index=index, ids=tuple(rest), text=text)
            self._say(Step(sequences=(step,)))
            self._say(Finished(job=job.job, epoch=job.epoch, tokens=count, reason="length"))
            return
        self._running[job.job, job.epoch] = model, index, count
        if not self._stepping:
            self._stepping = True
            self._later(model)

    def _later(self, model: str) -> None:
        loop = asyncio.get_running_loop()
        if model == PACED:
            loop.call_later(PACE_S, self._step)
        else:
            loop.call_soon(self._step)

    def _step(self) -> None:
        """One token of every sequence in one frame; those that are whole end."""
        steps, ended, model = [], [], MODEL
        for (job, epoch), (model, index, count) in self._running.items():
            steps.append(SequenceStep(job=job, epoch=epoch, index=index, ids=(index,), text=token(index)))  # type: ignore[arg-type]
            self._running[job, epoch] = model, index + 1, count
            if index + 1 == count:
                ended.append((job, epoch, count))
        self._stepping = bool(steps)
        if not steps:
            return
        self._say(Step(sequences=tuple(steps)))
        for job, epoch, count in ended:
            del self._running[job, epoch]
            self._say(Finished(job=job, epoch=epoch, tokens=count, reason="length"))  # type: ignore[arg-type]
        self._flush()
        self._later(model)

    def _say(self, message: Message) -> None:
        self._websocket.send_binary(encode(message))
        self._flush()

    def _flush(self) -> None:
        for data in self._websocket.data_to_send():
            if data:
                self._transport.write(data)


class House:
    """All workers of this process."""

    def __init__(self, url: str, slots: int, first: int) -> None:
        self.url = url
        self.offers = offers(slots)
        self._address = urlsplit(url)
        self._open: set[Worker] = set()
        self._first = self._made = first
        self._wanted = 0
        self._all, self._none = asyncio.Event(), asyncio.Event()

    def joined(self, worker: Worker) -> None:
        self._open.add(worker)
        if len(self._open) == self._wanted:
            self._all.set()

    def lost(self, worker: Worker) -> None:
        self._open.discard(worker)
        if not self._open:
            self._none.set()

    async def more(self, count: int, at_once: int) -> None:
        """Connect so many more; no worker waits for another, but only `at_once` connects are under way."""
        first, self._made = self._made, self._made + count
        await self._connect(range(first, self._made), at_once)

    async def drop(self) -> None:
        """Every connection is cut, and comes back at once."""
        self._none.clear()
        for worker in list(self._open):
            worker.abort()
        await self._none.wait()
        await self._connect(range(self._first, self._made), self._made)

    async def _connect(self, numbers: range, at_once: int) -> None:
        began = time.monotonic()
        self._wanted = len(self._open) + len(numbers)
        self._all.clear()
        room = asyncio.Semaphore(at_once)
        took = await asyncio.gather(*(self._one(number, room) for number in numbers))
        if numbers:
            await self._all.wait()
        told = {"joined": len(self._open), "took_s": time.monotonic() - began, "slowest_connect_s": max(took, default=0.0)}
        print(json.dumps(told), flush=True)

    async def _one(self, number: int, room: asyncio.Semaphore) -> float:
        """Connect; how long the connection itself took: a lost SYN shows as a second."""
        async with room:
            began = time.monotonic()
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: Worker(self, number), self._address.hostname, self._address.port)
            return time.monotonic() - began


async def main(url: str, count: int, slots: int, first: int) -> None:
    house = House(url, slots, first)
    loop = asyncio.get_running_loop()
    await house.more(count, at_once=100)
    while words := (await loop.run_in_executor(None, sys.stdin.readline)).split():
        match words:
            case ["more", number]:
                await house.more(int(number), at_once=100)
            case ["drop"]:
                await house.drop()
            case _:
                return


if __name__ == "__main__":
    raise_open_files(20_000)
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
