"""Every failure is OpenAI's envelope, whatever broke."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from fakes.poolserver import Served, served
from fakes.records import KEY

from pool.api.settings import Settings

AUTH = {"authorization": f"Bearer {KEY}"}


@pytest.fixture
async def pool() -> AsyncIterator[Served]:
    async with served(Settings(max_body_bytes=5000, body_timeout_s=0.1)) as running:
        yield running


@pytest.fixture
async def http(pool: Served) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=pool.url, headers=AUTH) as client:
        yield client


async def raw(pool: Served, data: bytes) -> tuple[int, dict[str, str], dict[str, object]]:
    """What a socket that sends these bytes gets: status, headers, error."""
    reader, writer = await asyncio.open_connection("127.0.0.1", pool.port)
    writer.write(data)
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 2)).decode()
    lines = head.lower().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:] if line)
    body = await asyncio.wait_for(reader.readexactly(int(headers["content-length"])), 2)
    writer.close()
    return int(lines[0].split()[1]), headers, json.loads(body)["error"]


@pytest.mark.parametrize("address", [b"/v1/\x1cx", b"http://[::1", b"//:x", b"\x01", b"/\xff\xfe"])
async def test_an_address_that_cannot_be_read_is_answered(
    pool: Served, caplog: pytest.LogCaptureFixture, address: bytes
) -> None:
    status, headers, error = await raw(pool, b"GET " + address + b" HTTP/1.1\r\nhost: x\r\n\r\n")
    assert status in (400, 404) and error["type"] == "invalid_request_error"
    assert headers["x-request-id"].startswith("req_")
    assert [one.message for one in caplog.records if one.levelname == "ERROR"] == []


@pytest.mark.parametrize("line", [b"G\xffT / HTTP/1.1", b"POST / HTTP/1.1\r\ncontent-length: 2\r\nexpect: 1\xff"])
async def test_bytes_that_are_no_text_are_the_clients_fault(pool: Served, line: bytes) -> None:
    status, _, error = await raw(pool, line + b"\r\nhost: x\r\n\r\n")
    assert status in (400, 405, 417) and error["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nope", 404, "not_found"),
        ("POST", "/v1/nope", 404, "not_found"),
        ("GET", "/v1/chat/completions", 405, "method_not_allowed"),
        ("DELETE", "/v1/models", 405, "method_not_allowed"),
        ("PUT", "/healthz", 405, "method_not_allowed"),
    ],
)
async def test_what_is_not_there_or_not_so(http: httpx.AsyncClient, method: str, path: str, status: int, code: str) -> None:
    reply = await http.request(method, path)
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)
    assert ("allow" in reply.headers) == (status == 405)
    assert reply.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize("header", [None, "", "Bearer", "Basic abc", "Bearer wrong", "Bearer " + "x" * 300, "Bearer é"])
async def test_without_a_valid_key_nothing_is_read(pool: Served, header: str | None) -> None:
    async with httpx.AsyncClient(base_url=pool.url) as client:
        headers = {} if header is None else {"authorization": header.encode()}
        reply = await client.post("/v1/chat/completions", content=b"{" * 8_000_000, headers=headers)  # type: ignore[arg-type]
    assert (reply.status_code, reply.headers["www-authenticate"]) == (401, "Bearer")
    assert reply.json()["error"]["code"] == "invalid_api_key"


async def test_the_scheme_is_read_without_regard_to_case(http: httpx.AsyncClient) -> None:
    assert (await http.get("/v1/models", headers={"authorization": f"bEARER  {KEY}"})).status_code == 200


async def test_bodies_that_are_no_json(http: httpx.AsyncClient) -> None:
    for body in (b"", b"{", b"[]", b"\xff"):
        reply = await http.post("/v1/chat/completions", content=body)
        assert (reply.status_code, reply.json()["error"]["code"]) == (400, "invalid_json")


async def test_any_content_type_is_read_as_json(http: httpx.AsyncClient) -> None:
    body = json.dumps({"model": "mote", "messages": [{"role": "user", "content": "x"}]}).encode()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        assert (await http.post("/v1/chat/completions", content=body, headers={"content-type": kind})).status_code == 200


async def test_bodies_that_are_too_large_encoded_or_slow(pool: Served, http: httpx.AsyncClient) -> None:
    for size in (5001, 30_000_000):
        big = await http.post("/v1/chat/completions", content=b"x" * size)
        assert (big.status_code, big.json()["error"]["code"]) == (413, "payload_too_large")

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(6):
            yield b"x" * 1000

    unsized = await http.post("/v1/chat/completions", content=chunks())
    assert unsized.status_code == 413
    packed = await http.post("/v1/chat/completions", content=b"x", headers={"content-encoding": "gzip"})
    assert (packed.status_code, "content-encoding" in packed.text) == (400, True)
    head = f"POST /v1/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Length: 10\r\n\r\n{{"
    status, _, error = await raw(pool, head.encode())
    assert (status, error["code"]) == (408, "request_timeout")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"GET /\xc3\xa9 HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", 413),
        (b"POST /v1/embeddings HTTP/1.1\r\nAuthorization: Bearer im_test_key\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST /v1/embeddings HTTP/1.1\r\nExpect: magic\r\nContent-Length: 2\r\n\r\n{}", 417),
        (
            b"POST /v1/embeddings HTTP/1.1\r\nAuthorization: Bearer im_test_key\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"\r\nzz\r\n" + b"x" * 80,
            400,
        ),
    ],
)
async def test_what_sanic_itself_refuses_has_the_envelope_too(pool: Served, data: bytes, status: int) -> None:
    told, _, error = await raw(pool, data)
    assert told == status
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"


async def test_a_handler_that_breaks_tells_and_logs_nothing_of_what_was_asked(
    pool: Served, http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken() -> str | None:
        raise ValueError("secret")

    pool.health.unready = broken  # type: ignore[method-assign]
    reply = await http.get("/readyz")
    assert (reply.status_code, reply.json()["error"]["code"]) == (500, "internal_error")
    assert "secret" not in reply.text + caplog.text
    assert f"{reply.headers['x-request-id']} failed: ValueError" in caplog.text
