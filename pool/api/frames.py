"""WebSocket frames as workers send them nearly always: whole, masked, not fragmented (RFC 6455, 5.2).

Everything else (pieces, control frames, breaches) is left to `websockets`: this is only the short way for the common case.
"""

from websockets.frames import Opcode

try:
    from websockets.speedups import apply_mask
except ImportError:  # pragma: no cover - a build without its C part
    from websockets.utils import apply_mask

FIN = 0x80
MASKED = 0x80
_BINARY = FIN | Opcode.BINARY
_DATA = (FIN | Opcode.TEXT, FIN | Opcode.BINARY)


def framed(message: bytes) -> bytes:
    """The message as one binary frame of a server: not masked."""
    size = len(message)
    if size < 126:
        return b"%c%c%b" % (_BINARY, size, message)
    if size < 65_536:
        return b"%c\x7e%b%b" % (_BINARY, size.to_bytes(2, "big"), message)
    return b"%c\x7f%b%b" % (_BINARY, size.to_bytes(8, "big"), message)


def whole_messages(data: bytes, limit: int) -> tuple[list[bytes], int]:
    """The messages that stand whole at the beginning of the data, and where the rest begins. None is longer than `limit`."""
    messages: list[bytes] = []
    at, end = 0, len(data)
    while end - at >= 6 and data[at] in _DATA and data[at + 1] & MASKED:
        size, head = data[at + 1] & 0x7F, 2
        if size == 126:
            size, head = int.from_bytes(data[at + 2 : at + 4], "big"), 4
        elif size == 127:
            size, head = int.from_bytes(data[at + 2 : at + 10], "big"), 10
        start = at + head + 4
        if size > limit or start + size > end:
            break
        messages.append(apply_mask(data[start : start + size], data[start - 4 : start]))
        at = start + size
    return messages, at
