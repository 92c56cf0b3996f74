"""What agent and engine say to each other: a 4-byte little-endian length, then one msgspec JSON message.

First `Load` goes in and `Loaded` or `LoadFailed` comes out; then the wire's own `Job`/`Cancel` in and `EngineOut` out.
"""

import struct
from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

from iamine.wire.messages import MAX_FRAME_BYTES, Cancel, Embedded, Failed, Finished, Job, Message, Progress, Started, Step

HEADER = struct.Struct("<I")
MAX_TEXT_CHARS = 4000  # of an error text that crosses the socket


class Load(Message, frozen=True, kw_only=True, omit_defaults=True, tag="load"):
    """Agent -> engine, first and once: the file to load and the limits (see `appliance.agent.types.ModelSpec`).

    `max_step_s` bounds one decode step while a prompt is being read; `progress_s` is the pause between two
    Progress frames. Both are smaller in tests only. `measure_s` asks for the whole measure within about so many seconds
    (0: a short self-test); `prefill_tps` > 0 and `decode_tps` are known from an earlier one, then nothing is measured.
    `guess`: an answer that has the machine for itself is sped up by guesses from its own text (see guessing.py).
    """

    path: str
    file_sha256: str
    kind: Literal["chat", "completion", "embedding"] = "chat"
    exact: bool = False
    slots: int = 0
    context_tokens: int = 0
    threads: int = 0
    gpu_layers: int = 0
    devices: tuple[str, ...] = ()
    max_tps: float | None = None
    max_step_s: float = 0.5
    progress_s: float = 1.0
    measure_s: float = 0.0
    prefill_tps: float = 0.0
    decode_tps: float = 0.0
    guess: bool = True


class Loaded(Message, frozen=True, kw_only=True, omit_defaults=True, tag="loaded"):
    """Engine -> agent: ready. Speeds in tokens/s: known, of a self-test of under two seconds, or of the whole measure.

    `prefill_tokens` were read for `prefill_tps`; `decode_tps` is one sequence's, `decode_all_tps` all slots' together
    (0.0: not measured).
    """

    vocabulary_tokens: int
    context_tokens: int
    slots: int
    template_sha256: str = ""
    embedding_dimensions: int = 0
    prefill_tps: float = 0.0
    prefill_tokens: int = 0
    decode_tps: float = 0.0
    decode_all_tps: float = 0.0
    build: str = ""
    exact: bool = False


class LoadFailed(Message, frozen=True, kw_only=True, omit_defaults=True, tag="load_failed"):
    """Engine -> agent, then it exits: why the file cannot be used, and what to try next."""

    message: str
    hint: str


ToEngine = Load | Job | Cancel
FromEngine = Loaded | LoadFailed | Started | Progress | Step | Finished | Embedded | Failed

_encoder = msgspec.json.Encoder()
decode_to_engine: Callable[[bytes], ToEngine] = msgspec.json.Decoder(ToEngine).decode
decode_from_engine: Callable[[bytes], FromEngine] = msgspec.json.Decoder(FromEngine).decode


class FrameTooLarge(ValueError):
    """A frame is longer than MAX_FRAME_BYTES; the stream cannot be trusted any more."""


def encode(message: ToEngine | FromEngine) -> bytes:
    """The message with its length before it; raises FrameTooLarge."""
    body = _encoder.encode(message)
    if len(body) > MAX_FRAME_BYTES:
        raise FrameTooLarge(f"a frame of {len(body)} bytes is over the limit of {MAX_FRAME_BYTES}")
    return HEADER.pack(len(body)) + body


class Deframer:
    """Cuts a byte stream into message bodies, however the bytes arrive."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, received: bytes) -> Iterator[bytes]:
        """The bodies complete by now; raises FrameTooLarge."""
        self._rest += received
        at = 0
        while len(self._rest) - at >= HEADER.size:
            (size,) = HEADER.unpack_from(self._rest, at)
            if size > MAX_FRAME_BYTES:
                raise FrameTooLarge(f"a frame of {size} bytes is over the limit of {MAX_FRAME_BYTES}")
            if len(self._rest) - at < HEADER.size + size:
                break
            yield bytes(self._rest[at + HEADER.size : at + HEADER.size + size])
            at += HEADER.size + size
        del self._rest[:at]
