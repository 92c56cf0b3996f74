"""Workers that break the rules, over real sockets: each is refused with a reason, and nobody else notices."""

import asyncio
import json
import secrets
from typing import Any

import pytest
from house import House
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from iamine.identity import Identity
from iamine.wire.codec import decode_from_pool, encode
from iamine.wire.messages import MAX_FRAME_BYTES, Goodbye, Hardware, Hello, SequenceStep, Step
from iamine.wire.session import Challenged, Ended, WorkerSession

HARDWARE = Hardware(cpu="stranger", cores_physical=1, cores_usable=1.0, memory_bytes=1, memory_available_bytes=1)


async def greeted(house: House, identity: Identity) -> tuple[ClientConnection, WorkerSession]:
    """A connection that has the challenge."""
    url = f"ws://127.0.0.1:{house.port}/v1/workers/connect"
    socket = await connect(url, compression=None, max_size=MAX_FRAME_BYTES, proxy=None)
    session = WorkerSession(identity=identity, pinned_pool_key=None, nonce=secrets.token_bytes(32), agent="stranger")
    await socket.send(encode(session.knock()))
    assert isinstance(session.receive(decode_from_pool(await socket.recv())), Challenged)
    return socket, session


async def joined(house: House, identity: Identity) -> ClientConnection:
    """A worker without any model: welcome, and no use."""
    socket, session = await greeted(house, identity)
    await socket.send(encode(session.hello(hardware=HARDWARE, models=(), name="stranger")))
    session.receive(decode_from_pool(await socket.recv()))
    return socket


async def farewell(socket: ClientConnection) -> Goodbye:
    """What the pool says last."""
    said: Goodbye | None = None
    try:
        async with asyncio.timeout(10):
            while True:
                message = decode_from_pool(await socket.recv())
                said = message if isinstance(message, Goodbye) else said
    except ConnectionClosed:
        pass
    assert said is not None, "closed without a reason"
    return said


def step(index: int) -> bytes:
    return encode(Step(sequences=(SequenceStep(job="job_x", epoch=1, index=index, ids=(1,)),)))  # type: ignore[arg-type]


async def wrong_signature(house: House) -> Goodbye:
    socket, session = await greeted(house, Identity.from_seed(secrets.token_bytes(32)))
    hello = session.hello(hardware=HARDWARE, models=(), name="liar")
    await socket.send(encode(Hello(worker_key=hello.worker_key, signature=bytes(64), hardware=HARDWARE, models=())))
    return await farewell(socket)


async def second_session(house: House) -> Goodbye:
    identity = Identity.from_seed(secrets.token_bytes(32))
    first, second = await joined(house, identity), await joined(house, identity)
    goodbye = await farewell(first)
    await second.close()
    return goodbye


async def oversized(house: House) -> Goodbye:
    socket = await joined(house, Identity.from_seed(secrets.token_bytes(32)))
    frame = {"t": "step", "sequences": [{"job": "x", "epoch": 1, "index": 0, "ids": list(range(5000))}]}
    await socket.send(json.dumps(frame).encode())
    return await farewell(socket)


async def out_of_order(house: House) -> Goodbye:
    socket, _ = await greeted(house, Identity.from_seed(secrets.token_bytes(32)))
    await socket.send(step(0))
    return await farewell(socket)


async def garbage(house: House) -> Goodbye:
    socket = await joined(house, Identity.from_seed(secrets.token_bytes(32)))
    await socket.send(secrets.token_bytes(1000))
    return await farewell(socket)


@pytest.mark.parametrize(
    ("stranger", "code"),
    [
        (wrong_signature, "bad_signature"),
        (second_session, "superseded"),
        (oversized, "too_large"),
        (out_of_order, "out_of_order"),
        (garbage, "malformed"),
    ],
    ids=lambda one: getattr(one, "__name__", one),
)
def test_a_stranger_is_refused_with_a_reason_and_nobody_else_notices(shared: House, stranger: Any, code: str) -> None:
    messages: Any = [{"role": "user", "content": "count from 1 to 50"}]
    stream = shared.client().chat.completions.create(model="mote", messages=messages, temperature=0, stream=True)
    chunks = iter(stream)
    text = next(chunks).choices[0].delta.content or ""
    goodbye = asyncio.run(stranger(shared))
    assert (goodbye.code, bool(goodbye.reason)) == (code, True)
    text += "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == " ".join(str(number) for number in range(1, 51))
    assert shared.status()["workers"] >= 1


def test_a_frame_over_the_limit_ends_the_connection(shared: House) -> None:
    async def send() -> int:
        socket = await joined(shared, Identity.from_seed(secrets.token_bytes(32)))
        with pytest.raises(ConnectionClosed) as closed:
            await socket.send(b"x" * (MAX_FRAME_BYTES + 1))
            await socket.recv()
        return closed.value.rcvd.code if closed.value.rcvd else 0

    assert asyncio.run(send()) == 1009  # RFC 6455, 7.4.1: message too big


def test_a_silent_stranger_does_not_count_as_a_worker(shared: House) -> None:
    async def knock() -> None:
        socket, session = await greeted(shared, Identity.from_seed(secrets.token_bytes(32)))
        assert session.receive(Goodbye(code="x", reason="y")) == Ended(goodbye=Goodbye(code="x", reason="y"))
        assert shared.status()["workers"] == 1
        await socket.close()

    asyncio.run(knock())
