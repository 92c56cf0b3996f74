"""The load: CONNECTIONS clients that ask again as soon as they are answered; every answer is read and checked whole.

    python -m relay_parts.load '{"port": ..., "key": ..., "model": ..., "stream": true, "tokens": 64, "connections": 64, ...}'

Asks once on each connection, prints "ready", waits for a line on stdin, asks for `seconds`, prints a JSON line.
"""

import asyncio
import json
import re
import sys
import time
from typing import Any

import msgspec
import uvloop

from relay_parts.tokens import raise_open_files, text

FIRST = re.compile(rb'"content": ?"[^"]')
END = b"\r\n0\r\n\r\n"


class Delta(msgspec.Struct):
    content: str | None = None


class Choice(msgspec.Struct):
    delta: Delta = msgspec.field(default_factory=Delta)
    message: Delta = msgspec.field(default_factory=Delta)


class Chunk(msgspec.Struct):
    choices: tuple[Choice, ...] = ()


class Asked(msgspec.Struct, kw_only=True):
    port: int
    key: str
    model: str
    stream: bool
    tokens: int
    connections: int
    seconds: float
    pause_s: float = 0.0


DECODE = msgspec.json.Decoder(Chunk).decode


def said(body: bytes) -> str:
    """The text of a stream's body. Raises ValueError when it does not end as it should."""
    events = body.split(b"\n\n")
    if events[-2:] != [b"data: [DONE]", b""]:
        raise ValueError(f"a stream that ends with {body[-200:]!r}")
    chunks = (DECODE(event[6:]) for event in events[:-2] if event.startswith(b"data: "))
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


def dechunked(data: bytes) -> bytes:
    """The body of a chunked response."""
    parts = []
    while data:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        parts.append(data[:length])
        data = data[length + 2 :]
    return b"".join(parts)


class Client(asyncio.Protocol):
    """One connection; `ask` sends a request and waits for its whole answer."""

    def __init__(self, asked: Asked) -> None:
        body = {
            "model": asked.model,
            "messages": [{"role": "user", "content": "Tell me a story about a lighthouse keeper and a whale."}],
            "max_tokens": asked.tokens,
            "stream": asked.stream,
        }
        data = json.dumps(body).encode()
        self._request = (
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:%d\r\nauthorization: Bearer %b\r\n"
            b"content-type: application/json\r\naccept: application/json\r\ncontent-length: %d\r\n\r\n%b"
            % (asked.port, asked.key.encode(), len(data), data)
        )
        self._port = asked.port
        self._expected = text(asked.tokens)
        self.first_s: list[float] = []
        self.whole_s: list[float] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._answered: asyncio.Future[bytes] | None = None
        self._data = bytearray()

    def data_received(self, data: bytes) -> None:
        self._data += data
        if not self._first and FIRST.search(self._data):
            self._first = time.perf_counter()
        head_end = self._head_end
        if head_end < 0:
            head_end = self._head_end = self._data.find(b"\r\n\r\n")
            if head_end < 0:
                return
            head = bytes(self._data[:head_end]).lower()
            self._length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0] or b"-1")
        whole = self._data.endswith(END) if self._length < 0 else len(self._data) - head_end - 4 >= self._length
        if whole and self._answered is not None and not self._answered.done():
            self._answered.set_result(bytes(self._data))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answered is not None and not self._answered.done():
            error = (
                ConnectionError(f"cut in mid-answer: {bytes(self._data[-200:])!r}") if self._data else ConnectionResetError()
            )
            self._answered.set_exception(error)

    async def ask(self) -> None:
        """One request, checked. A server may end a connection that was idle. Raises ValueError for a wrong answer."""
        if self._transport.is_closing():
            await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", self._port)
        try:
            await self._ask()
        except ConnectionResetError:
            await self.ask()

    async def _ask(self) -> None:
        self._data, self._first, self._head_end, self._length = bytearray(), 0.0, -1, -1
        self._answered = asyncio.get_running_loop().create_future()
        began = time.perf_counter()
        self._transport.write(self._request)
        answer = await self._answered
        self.whole_s.append(time.perf_counter() - began)
        self.first_s.append(self._first - began)
        head, _, body = answer.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise ValueError(f"refused: {answer[:600]!r}")
        body = dechunked(body) if self._length < 0 else body
        stream = b"event-stream" in head.lower()
        got = said(body) if stream else (DECODE(body).choices[0].message.content or "")
        if got != self._expected:
            raise ValueError(f"a wrong answer: {got!r} instead of {self._expected!r}")

    def close(self) -> None:
        self._transport.close()


async def keep_asking(client: Client, until: float, pause_s: float) -> None:
    while time.perf_counter() < until:
        await client.ask()
        if pause_s:
            await asyncio.sleep(pause_s)


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


async def main(asked: Asked) -> None:
    loop = asyncio.get_running_loop()
    opened = [await loop.create_connection(lambda: Client(asked), "127.0.0.1", asked.port) for _ in range(asked.connections)]
    clients = [client for _, client in opened]
    await asyncio.gather(*(client.ask() for client in clients))
    for client in clients:
        client.first_s.clear()
        client.whole_s.clear()
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    began = time.perf_counter()
    await asyncio.gather(*(keep_asking(client, began + asked.seconds, asked.pause_s) for client in clients))
    took_s = time.perf_counter() - began
    first = [s for client in clients for s in client.first_s]
    whole = [s for client in clients for s in client.whole_s]
    found = {
        "requests": len(whole),
        "tokens": len(whole) * asked.tokens,
        "took_s": took_s,
        "ttft_p50_s": quantile(first, 0.5),
        "ttft_p99_s": quantile(first, 0.99),
        "whole_p50_s": quantile(whole, 0.5),
        "whole_p99_s": quantile(whole, 0.99),
    }
    print(json.dumps(found), flush=True)
    for client in clients:
        client.close()


if __name__ == "__main__":
    raise_open_files(4096)
    uvloop.run(main(msgspec.json.decode(sys.argv[1], type=Asked)))
