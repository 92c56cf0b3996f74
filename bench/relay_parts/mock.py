"""A mock OpenAI server: the same tokens as the fake workers write, for the peers to relay.

python -m relay_parts.mock PORT
"""

import asyncio
import sys
from typing import Any

import msgspec
import uvloop

from relay_parts.tokens import PACE_S, PACED, text, token

HEAD = (
    b'{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"bench","system_fingerprint":"fp_1","choices":['
)
OPEN = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
USAGE = {"prompt_tokens": 10, "completion_tokens": 0, "total_tokens": 10}


def chunk(data: bytes) -> bytes:
    """A piece of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(delta: bytes, reason: bytes = b"null") -> bytes:
    """One chunk of a stream."""
    return chunk(b'data: %b{"index":0,"delta":%b,"logprobs":null,"finish_reason":%b}]}\n\n' % (HEAD, delta, reason))


def plain(count: int) -> bytes:
    """A whole answer."""
    message = {"role": "assistant", "content": text(count), "refusal": None}
    body = msgspec.json.encode(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "bench",
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "length"}],
            "usage": USAGE,
            "system_fingerprint": "fp_1",
        }
    )
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


class Request(msgspec.Struct):
    model: str
    max_tokens: int
    stream: bool = False


class Mock(asyncio.Protocol):
    """One connection, one request at a time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._data = b""

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, found, body = self._data.partition(b"\r\n\r\n")
        if not found:
            return
        length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
        if len(body) < length:
            return
        self._data = body[length:]
        if not length:
            self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            return
        asked = msgspec.json.decode(body[:length], type=Request)
        if asked.stream:
            self._transport.write(OPEN + event(b'{"role":"assistant","content":"","refusal":null}'))
            self._next(0, asked)
        else:
            self._transport.write(plain(asked.max_tokens))

    def _next(self, index: int, asked: Request) -> None:
        if self._transport.is_closing():
            return
        if index == asked.max_tokens:
            self._transport.write(event(b"{}", b'"length"') + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")
            return
        self._transport.write(event(b'{"content":"%b"}' % token(index).encode()))
        loop = asyncio.get_running_loop()
        if asked.model == PACED:
            loop.call_later(PACE_S, self._next, index + 1, asked)
        else:
            loop.call_soon(self._next, index + 1, asked)


async def main(port: int) -> None:
    loop = asyncio.get_running_loop()
    await (await loop.create_server(Mock, "127.0.0.1", port, backlog=4096)).serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
