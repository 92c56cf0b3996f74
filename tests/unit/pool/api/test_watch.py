"""Clients that leave or read nothing, seen on real sockets: their job is cancelled at once."""

import asyncio
import json
import socket
import struct
import time
from typing import Any

import pytest
from fakes.hub import WORKER, answering, ended
from fakes.poolserver import Served, served
from fakes.records import KEY

from pool.api.settings import Settings
from pool.api.watch import Watch
from pool.routing.types import Begun, Delta

BEGUN = Begun(worker=WORKER, epoch=1, prompt_tokens=7, cached_tokens=2)


def request(size: int = 1, **fields: Any) -> bytes:
    body = json.dumps({"model": "mote", "messages": [{"role": "user", "content": "x" * size}]} | fields).encode()
    lines = ["POST /v1/chat/completions HTTP/1.1", "Host: pool", f"Authorization: Bearer {KEY}", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def leave(writer: asyncio.StreamWriter, how: str) -> None:
    """Close in order, by a reset, or only our half."""
    if how == "half":
        writer.write_eof()
        return
    if how == "reset":
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.close()


async def submitted(pool: Served) -> None:
    while not pool.hub.streams:
        await asyncio.sleep(0.002)


@pytest.mark.parametrize("how", ["close", "reset", "half"])
@pytest.mark.parametrize("when", ["plain", "waiting", "streaming"])
@pytest.mark.parametrize("size", [1, 65_536, 300_000])
async def test_a_client_that_leaves_frees_its_slot_within_250_ms(how: str, when: str, size: int) -> None:
    async with served(Settings(open_after_s=0.02)) as pool:
        first = [] if when == "waiting" else [BEGUN, Delta(index=0, ids=(1,), text="He")]
        pool.hub.script = lambda _order: [*first, asyncio.Event()]
        reader, writer = await asyncio.open_connection("127.0.0.1", pool.port)
        writer.write(request(size, stream=when != "plain"))
        await submitted(pool)
        if when != "plain":
            await reader.readuntil(b"\r\n\r\n")
        started = time.monotonic()
        leave(writer, how)
        await asyncio.wait_for(pool.hub.streams[0].cancelled.wait(), 0.25)
        assert time.monotonic() - started < 0.25
        await pool.dispatch.drain(1.0)
        assert [done.status for done in pool.records.finished] == ["cut"]
        assert pool.hub.taken == 0
        assert [task for task in asyncio.all_tasks() if getattr(task.get_coro(), "__qualname__", "") == "_next"] == []
        if how == "half":
            writer.close()


async def test_a_client_that_reads_nothing_is_cut_and_the_worker_is_not_paused() -> None:
    async with served(Settings(stalled_client_s=0.2, watch_every_s=0.02)) as pool:
        told: list[Any] = [Delta(index=i, ids=(i,), text="x" * 100_000) for i in range(400)]
        pool.hub.script = lambda _order: [BEGUN, *told, ended(400)]
        _, writer = await asyncio.open_connection("127.0.0.1", pool.port, limit=1024)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(request(stream=True))
        await submitted(pool)
        await asyncio.wait_for(pool.hub.streams[0].cancelled.wait(), 3)
        await pool.dispatch.drain(1.0)
        assert [done.status for done in pool.records.finished] == ["cut"]
        writer.close()


async def test_a_client_that_floods_its_connection_is_cut() -> None:
    async with served(Settings(watch_every_s=0.02)) as pool:
        pool.hub.script = lambda _order: [asyncio.Event()]
        _, writer = await asyncio.open_connection("127.0.0.1", pool.port)
        writer.write(request())
        await submitted(pool)
        writer.write(b"x" * 1_000_000)
        await asyncio.wait_for(pool.hub.streams[0].cancelled.wait(), 1)
        writer.close()


async def test_a_slow_reader_is_not_cut() -> None:
    async with served(Settings(stalled_client_s=0.2, watch_every_s=0.02)) as pool:
        steps = [step for i in range(8) for step in (Delta(index=i, ids=(i,), text="x"), 0.05)]
        pool.hub.script = lambda _order: [BEGUN, *steps, ended(8)]
        reader, writer = await asyncio.open_connection("127.0.0.1", pool.port)
        writer.write(request(stream=True))
        assert (await asyncio.wait_for(reader.readuntil(b"[DONE]"), 3)).endswith(b"[DONE]")
        writer.close()


async def test_a_large_request_with_a_long_answer_is_not_cut() -> None:
    async with served(Settings(watch_every_s=0.02)) as pool:
        pool.hub.script = lambda _order: [0.15, *answering("x")]
        reader, writer = await asyncio.open_connection("127.0.0.1", pool.port)
        writer.write(request(300_000))
        assert b" 200 OK" in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 2)
        writer.close()


async def test_connections_are_reused_after_an_answer() -> None:
    async with served() as pool:
        pool.hub.script = lambda _order: answering("x")
        reader, writer = await asyncio.open_connection("127.0.0.1", pool.port)
        for stream in (False, True, False):
            writer.write(request(100_000, stream=stream))
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 2)
            assert b" 200 OK" in head
            if stream:
                await asyncio.wait_for(reader.readuntil(b"\r\n0\r\n\r\n"), 2)
            else:
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                await asyncio.wait_for(reader.readexactly(length), 2)
        writer.close()


class FakeTransport:
    """A transport as the watch sees it."""

    def __init__(self) -> None:
        self.closing = self.aborted = False
        self.reading = True
        self.unsent = 0

    def is_closing(self) -> bool:
        return self.closing

    def is_reading(self) -> bool:
        return self.reading

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def abort(self) -> None:
        self.aborted = True


async def test_only_unsent_bytes_that_do_not_move_count_as_stalled() -> None:
    watch, transport = Watch(every_s=3600, stalled_s=60), FakeTransport()
    watch.begin(transport)
    now = asyncio.get_running_loop().time()
    for second, unsent in ((1, 5), (50, 5), (59, 4), (118, 4)):
        transport.unsent = unsent
        watch.look(now + second)
        assert not transport.aborted
    watch.look(now + 119.5)  # beyond what adding to a large clock can round away
    assert (transport.aborted, watch.cut) == (True, 1)


@pytest.mark.parametrize("state", ["closing", "flooded"])
async def test_a_socket_that_is_closing_or_flooded_is_cut(state: str) -> None:
    watch, transport = Watch(every_s=3600, stalled_s=60), FakeTransport()
    transport.closing, transport.reading = state == "closing", state != "flooded"
    watch.begin(transport)
    watch.look(0)
    assert transport.aborted
