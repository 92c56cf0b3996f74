"""One port for clients and workers: real sockets, the real listener, a hub behind it."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest
from fakes.workers import HARDWARE, offer
from sanic import Request, Sanic, text
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from iamine.identity import Identity
from iamine.wire.codec import decode_from_pool, encode
from iamine.wire.messages import MAX_FRAME_BYTES, Goodbye, Heartbeat
from iamine.wire.session import Accepted, Challenged, WorkerSession
from pool.api.listener import Listener
from pool.api.workers import MAX_UNSENT_BYTES, PATH
from pool.hub import Hub
from pool.hub.catalogue import Catalogue
from pool.routing.scheduler import Scheduler

SOON_S = 20.0


class Served:
    """A listener on a port of its own, and the hub behind it."""

    def __init__(self, hub: Hub, listener: Listener) -> None:
        self.hub, self.listener = hub, listener
        self.url = f"ws://127.0.0.1:{listener.port}{PATH}"

    async def until(self, workers: int) -> None:
        async with asyncio.timeout(SOON_S):
            while self.hub.workers != workers:
                await asyncio.sleep(0.01)

    async def raw(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.listener.port)


def new_hub() -> Hub:
    numbers = itertools.count()
    return Hub(
        identity=Identity.from_seed(bytes(32)),
        name="test",
        scheduler=Scheduler(),
        catalogue=Catalogue(remembered=(), created=0, now=0.0),
        monotonic=asyncio.get_running_loop().time,
        wall=lambda: 0.0,
        random_bytes=lambda size: next(numbers).to_bytes(size, "big"),
        on_hello=lambda _worker, _hello: None,
    )


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    app: Sanic = Sanic(f"door-{next(NUMBERS)}", configure_logging=False)
    app.config.TOUCHUP = False  # Sanic can do that once a process
    app.ctx.finish = lambda _request, _response: None  # what goes with every response: the app's affair (app.py)

    @app.get("/")
    async def page(_request: Request) -> object:
        return text("hello")

    hub = new_hub()
    listener = await Listener.open(app, hub, host="127.0.0.1", port=0, backlog=100)
    yield Served(hub, listener)
    hub.close()
    await listener.close(2.0)


NUMBERS = itertools.count()


async def join(socket: ClientConnection, seed: int = 1) -> None:
    """Through the whole greeting."""
    identity = Identity.from_seed(seed.to_bytes(32, "big"))
    session = WorkerSession(identity=identity, pinned_pool_key=None, nonce=bytes(32), agent="test")
    await socket.send(encode(session.knock()))
    assert isinstance(session.receive(decode_from_pool(await socket.recv())), Challenged)
    await socket.send(encode(session.hello(hardware=HARDWARE, models=(offer(),), name="test")))
    assert isinstance(session.receive(decode_from_pool(await socket.recv())), Accepted)


async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: bytes) -> bytes:
    writer.write(line + b"\r\nHost: x\r\n\r\n")
    async with asyncio.timeout(SOON_S):
        head = await reader.readuntil(b"\r\n\r\n")
    return head.split(b"\r\n")[0]


async def test_clients_and_workers_share_the_port(served: Served) -> None:
    reader, writer = await served.raw()
    async with connect(served.url) as socket:
        await join(socket)
        assert b" 200 " in await http(reader, writer, b"GET / HTTP/1.1")
        await reader.readexactly(len("hello"))
        assert b" 404 " in await http(reader, writer, f"GET {PATH} HTTP/1.1".encode()), "decided by the first request"
        assert served.hub.workers == 1
    await served.until(workers=0)
    writer.close()


async def test_a_worker_may_send_its_messages_in_pieces_and_as_text(served: Served) -> None:
    async with connect(served.url) as socket:
        await join(socket)
        beat = encode(Heartbeat(running=0))
        await socket.send([beat[:5], beat[5:9], b"", beat[9:]])
        await socket.send(beat.decode())
        await (await socket.ping())  # behind both messages
        assert served.hub.workers == 1


@pytest.mark.parametrize("first", [b"", b"G", b"GET /v1/work", f"GET {PATH}".encode()])
async def test_the_first_bytes_may_come_one_after_the_other(served: Served, first: bytes) -> None:
    reader, writer = await served.raw()
    writer.write(first)
    await asyncio.sleep(0.05)
    rest = f"GET {PATH}?x=1 HTTP/1.1".encode()[len(first) :]
    assert b" 426 " in await http(reader, writer, rest), "no WebSocket asked for"
    writer.close()


@pytest.mark.parametrize("line", [b"GET /v1/workers/connected HTTP/1.1", b"POST /v1/workers/connect HTTP/1.1"])
async def test_other_paths_and_methods_are_the_apps(served: Served, line: bytes) -> None:
    reader, writer = await served.raw()
    assert (await http(reader, writer, line)).split()[1] in (b"404", b"405")
    writer.close()


async def test_rubbish_ends_its_own_connection_only(served: Served) -> None:
    async with connect(served.url) as honest:
        await join(honest)
        async with connect(served.url) as socket:
            await socket.send(b"{")
            goodbye = decode_from_pool(await socket.recv())
            assert isinstance(goodbye, Goodbye) and goodbye.code == "malformed"
            with pytest.raises(ConnectionClosed):
                await socket.recv()
        reader, writer = await served.raw()
        writer.write(f"GET {PATH} HTTP/1.1\r\nbroken\r\n\r\n".encode())
        async with asyncio.timeout(SOON_S):
            assert b"101" not in await reader.read()
        writer.close()
        assert served.hub.workers == 1


@pytest.mark.parametrize("upgrade", ["Connection: Upgrade\r\nUpgrade: websocket", "Connection: close"])
async def test_rubbish_right_behind_the_request_ends_the_connection_without_a_fault(served: Served, upgrade: str) -> None:
    faults: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: faults.append(context))
    reader, writer = await served.raw()
    key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="
    writer.write(f"GET {PATH} HTTP/1.1\r\nHost: x\r\n{upgrade}\r\n{key}\r\n\r\n".encode() + b"\xff" * 20)
    async with asyncio.timeout(SOON_S):
        await reader.read()
    writer.close()
    assert faults == []


async def test_a_message_too_long_is_refused(served: Served) -> None:
    async with connect(served.url) as socket:
        await join(socket)
        with pytest.raises(ConnectionClosed) as caught:
            await socket.send(b" " * (MAX_FRAME_BYTES + 1))
            await socket.recv()
        assert caught.value.rcvd is not None and caught.value.rcvd.code == 1009
    await served.until(workers=0)


async def test_a_worker_that_reads_nothing_is_cut(served: Served) -> None:
    async with connect(served.url, max_queue=1, close_timeout=0.1) as socket:
        await join(socket)
        socket.transport.pause_reading()
        link = next(iter(served.hub.links()))
        for _ in range(2 + MAX_UNSENT_BYTES // MAX_FRAME_BYTES):
            link.socket.send(b" " * MAX_FRAME_BYTES)
        await served.until(workers=0)


async def test_the_end_of_the_pool_is_told_to_the_workers(served: Served) -> None:
    async with connect(served.url) as socket:
        await join(socket)
        served.hub.close()
        goodbye = decode_from_pool(await socket.recv())
        assert isinstance(goodbye, Goodbye) and goodbye.code == "pool_stopping"
        await served.listener.close(SOON_S)
        with pytest.raises(ConnectionClosed):
            await socket.recv()


async def test_who_connects_and_says_nothing_does_not_keep_the_pool_from_stopping(served: Served) -> None:
    reader, writer = await served.raw()
    await asyncio.sleep(0.05)
    await served.listener.close(SOON_S)
    async with asyncio.timeout(SOON_S):
        assert await reader.read() == b""
    writer.close()
