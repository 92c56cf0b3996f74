"""Heads of responses: as Sanic writes them, and no value begins a line of its own."""

import asyncio

import pytest
from fakes.poolserver import served
from fakes.records import KEY
from hypothesis import given
from hypothesis import strategies as st
from sanic.compat import Header
from sanic.headers import format_http1_response

from pool.api.http import head

NAMES = st.from_regex(r"[a-z][a-z-]{0,9}", fullmatch=True)


@given(st.lists(st.tuples(NAMES, st.text(max_size=20)), min_size=1), st.sampled_from([200, 404, 429, 503]))
def test_a_head_is_what_sanic_would_write(fields: list[tuple[str, str]], status: int) -> None:
    clean = [
        (name.encode(), value.replace("\r", "").replace("\n", "").encode(errors="surrogateescape")) for name, value in fields
    ]
    assert head(status, Header(fields)) == bytes(format_http1_response(status, clean))


async def _ask(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    found = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    return found


@pytest.mark.parametrize(
    ("method", "more", "status", "ends"),
    [
        ("GET", "", b"200 OK", b"\r\n\r\n"),
        ("HEAD", "", b"200 OK", b"\r\n\r\n"),
        ("OPTIONS", "origin: https://a.example\r\n", b"204 No Content", b"\r\n\r\n"),
    ],
)
async def test_the_connection_closes_where_the_client_says_so(method: str, more: str, status: bytes, ends: bytes) -> None:
    async with served() as pool:
        auth = f"authorization: Bearer {KEY}\r\n"
        request = f"{method} /v1/models HTTP/1.1\r\nhost: x\r\n{auth}connection: close\r\n{more}\r\n"
        told = await _ask(pool.port, request.encode())
        first, _, body = told.partition(ends)
        assert first.startswith(b"HTTP/1.1 " + status) and b"\r\nconnection: close" in first
        assert (body != b"") == (method == "GET")


async def test_a_client_that_asks_before_it_sends_is_told_to_go_on() -> None:
    async with served() as pool:
        body = b'{"model": "mote", "messages": [{"role": "user", "content": "x"}]}'
        reader, writer = await asyncio.open_connection("127.0.0.1", pool.port)
        writer.write(
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\nexpect: 100-continue\r\n"
            f"connection: close\r\ncontent-length: {len(body)}\r\n\r\n".encode()
        )
        assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5) == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 200 OK\r\n")
        writer.close()
