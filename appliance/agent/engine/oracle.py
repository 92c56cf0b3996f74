"""The engine's side of grammars: each runs in a process of its own, so a bad one can hang or crash only itself.

llama.cpp parses grammars by recursion, aborts on some and may take exponential time on others. A sequence draws its
token without the grammar, asks its oracle, and draws again from the oracle's mask only when the token was refused (as
llama.cpp's own common sampler does); while it waits, the other sequences go on.
"""

import contextlib
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from iamine.wire.messages import Grammar

HEADER = struct.Struct("<I")
TOKEN = struct.Struct("<ci")
ASK, ACCEPT = b"?", b"+"
READY, YES, NO, BROKEN = b"R", b"Y", b"N", b"B"
RECEIVE_BYTES = 256 * 1024
DIED = "the grammar takes too much time or memory, or llama.cpp cannot run it"


@dataclass(frozen=True, slots=True)
class OracleReady:
    """The grammar is compiled and has taken the prefix."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The asked token fits and was taken."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The asked token does not fit; one bit per token tells which do (little-endian bits)."""

    bits: bytes

    def mask(self, size: int) -> npt.NDArray[np.bool_]:
        return np.unpackbits(np.frombuffer(self.bits, dtype=np.uint8), count=size, bitorder="little").astype(np.bool_)


@dataclass(frozen=True, slots=True)
class Broken:
    """The grammar cannot be used (any more)."""

    message: str


Verdict = OracleReady | Accepted | Rejected | Broken


class Opening(msgspec.Struct, frozen=True):
    """The first message to an oracle."""

    grammar: Grammar
    prefix: tuple[int, ...]


def framed(body: bytes) -> bytes:
    """The body with its length before it."""
    return HEADER.pack(len(body)) + body


class Oracle:
    """One sequence's grammar; at most one question is open at a time. Only the decode thread uses it."""

    def __init__(self, connection: socket.socket, opening: Opening) -> None:
        self._socket = connection
        self._received = bytearray()
        self._unsent = framed(msgspec.json.encode(opening))
        connection.setblocking(False)
        self.push()

    def fileno(self) -> int:
        return self._socket.fileno()

    def ask(self, token: int) -> None:
        """Does this token fit next? `hear` gives Accepted or Rejected."""
        self._unsent += framed(TOKEN.pack(ASK, token))
        self.push()

    def accept(self, token: int) -> None:
        """This token, one of the mask's, was taken; nothing is answered."""
        self._unsent += framed(TOKEN.pack(ACCEPT, token))
        self.push()

    def hear(self) -> Verdict | None:
        """What the oracle said, None when it is not complete yet."""
        self.push()
        try:
            received = self._socket.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return None
        except ConnectionError:
            received = b""
        if not received:
            return Broken(DIED)
        self._received += received
        if len(self._received) < HEADER.size:
            return None
        (size,) = HEADER.unpack_from(self._received)
        if len(self._received) < HEADER.size + size:
            return None
        body = bytes(self._received[HEADER.size : HEADER.size + size])
        del self._received[: HEADER.size + size]
        return _verdict(body)

    def close(self) -> None:
        """Ends the oracle's process."""
        self._socket.close()

    def push(self) -> None:
        """Sends what the socket takes now; a large grammar goes in several parts."""
        with contextlib.suppress(BlockingIOError, ConnectionError):  # a dead oracle is told by `hear`
            while self._unsent:
                self._unsent = self._unsent[self._socket.send(self._unsent, socket.MSG_NOSIGNAL) :]


def _verdict(body: bytes) -> Verdict:
    kind, rest = body[:1], body[1:]
    if kind == READY:
        return OracleReady()
    if kind == YES:
        return Accepted()
    return Rejected(rest) if kind == NO else Broken(rest.decode("utf-8", "replace"))


class Oracles:
    """Makes oracles by a zygote process that has the vocabulary loaded and forks; it is started when first needed."""

    def __init__(self, model: Path) -> None:
        self._model = model
        self._control: socket.socket | None = None
        self._zygote: subprocess.Popen[bytes] | None = None

    def open(self, grammar: Grammar, prefix: Sequence[int]) -> Oracle:
        """A new oracle; its first verdict is OracleReady or Broken."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._hand_over(theirs)
            except OSError:  # the zygote died (out of memory?): one more
                self._control = None
                with contextlib.suppress(OSError):  # told by the oracle's first verdict
                    self._hand_over(theirs)
        return Oracle(ours, Opening(grammar=grammar, prefix=tuple(prefix)))

    def _hand_over(self, theirs: socket.socket) -> None:
        control = self._control or self._start()
        socket.send_fds(control, [b"f"], [theirs.fileno()], socket.MSG_NOSIGNAL)

    def _start(self) -> socket.socket:
        if self._zygote is not None:
            self._zygote.kill()
            self._zygote.wait()
        self._control, theirs = socket.socketpair()
        with theirs:
            self._zygote = subprocess.Popen(
                [sys.executable, "-m", "appliance.agent.engine.zygote", str(theirs.fileno()), str(self._model)],
                pass_fds=[theirs.fileno()],
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # fork wants a process with one thread
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # llama.cpp prints a bad grammar's text there
            )
        return self._control
