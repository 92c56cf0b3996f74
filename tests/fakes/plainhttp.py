"""A client that costs next to nothing: one connection kept open, one request after the other, plain or streamed."""

import asyncio
import json
from typing import Any


class PlainClient:
    """`await client.ask(body)` gives (status, body bytes); chunked bodies are put together."""

    def __init__(self, port: int, key: str, path: str = "/v1/chat/completions") -> None:
        self._port, self._key, self._path = port, key, path
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> "PlainClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def ask(self, asked: dict[str, Any]) -> tuple[int, bytes]:
        """Send and read whole. The server may have ended an idle connection: then another is opened, once."""
        fresh = self._streams is None
        try:
            return await self._ask(json.dumps(asked).encode())
        except (ConnectionError, asyncio.IncompleteReadError):
            await self.close()
            if fresh:
                raise
            return await self._ask(json.dumps(asked).encode())

    async def _ask(self, body: bytes) -> tuple[int, bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(
            b"POST %b HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %b\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\n\r\n%b" % (self._path.encode(), self._key.encode(), len(body), body)
        )
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = head.partition(b"content-length:")[2].split(b"\r\n")[0]
        return int(head.split()[1]), await (reader.readexactly(int(length)) if length else self._chunks(reader))

    async def _chunks(self, reader: asyncio.StreamReader) -> bytes:
        parts = []
        while size := int(await reader.readline(), 16):
            parts.append((await reader.readexactly(size + 2))[:-2])
        await reader.readline()
        return b"".join(parts)

    async def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
