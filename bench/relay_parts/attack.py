"""Clients that mean no good, in a process of their own; each kind goes on until it is killed.

    python -m relay_parts.attack KIND PORT KEY CONNECTIONS

Prints "ready" when all of them are at it, then a line of JSON for each line on stdin: what they were told so far.
"""

import asyncio
import json
import sys
from collections import Counter

import uvloop

from relay_parts.tokens import MODEL, raise_open_files

MB = 1024 * 1024
TOLD: Counter[str] = Counter()


def head(port: int, key: str, *more: str) -> bytes:
    """The beginning of a POST."""
    lines = ["POST /v1/chat/completions HTTP/1.1", f"host: 127.0.0.1:{port}", f"authorization: Bearer {key}", *more]
    return "\r\n".join([*lines, "", ""]).encode()


def question(tokens: int) -> bytes:
    """A streamed answer of so many tokens."""
    messages = [{"role": "user", "content": "x"}]
    return json.dumps({"model": MODEL, "stream": True, "max_tokens": tokens, "messages": messages}).encode()


async def flood(port: int, key: str) -> None:
    """Request after request, whatever the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = question(64)
    while True:
        writer.write(head(port, key, f"content-length: {len(body)}") + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        TOLD[answer.split()[1].decode()] += 1
        length = next((int(line[16:]) for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:")), None)
        if length is None:
            await reader.readuntil(b"\r\n0\r\n\r\n")
        else:
            await reader.readexactly(length)


async def slow(port: int, key: str) -> None:
    """A long answer of which nothing is read."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    body = question(30_000)
    writer.write(head(port, key, f"content-length: {len(body)}") + body)
    await writer.wait_closed()
    TOLD["cut"] += 1


async def big(port: int, key: str) -> None:
    """100 MB in chunks, of which the head says nothing."""
    while True:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(head(port, key, "transfer-encoding: chunked"))
            for _ in range(100):
                writer.write(b"%x\r\n%b\r\n" % (MB, b" " * MB))
                await writer.drain()
            writer.write(b"0\r\n\r\n")
            TOLD[(await reader.readuntil(b"\r\n")).split()[1].decode()] += 1
        except (OSError, asyncio.IncompleteReadError):
            TOLD["cut"] += 1
        writer.close()


async def deep(port: int, key: str) -> None:
    """A million brackets."""
    body = b'{"model":"x","messages":' + b"[" * 1_000_000
    while True:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head(port, key, f"content-length: {len(body)}", "connection: close") + body)
        TOLD[(await reader.readuntil(b"\r\n")).split()[1].decode()] += 1
        await reader.read()
        writer.close()


KINDS = {"flood": flood, "slow": slow, "big": big, "deep": deep}


async def main(kind: str, port: int, key: str, connections: int) -> None:
    loop = asyncio.get_running_loop()
    tasks = [asyncio.create_task(KINDS[kind](port, key)) for _ in range(connections)]
    await asyncio.sleep(0.5)
    print("ready", flush=True)
    while await loop.run_in_executor(None, sys.stdin.readline):
        failed = [str(task.exception()) for task in tasks if task.done() and task.exception()]
        print(json.dumps({"told": dict(TOLD), "failed": failed[:3]}), flush=True)


if __name__ == "__main__":
    raise_open_files(4096)
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
