"""Stub."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class OracleReady:
    """ready"""


@dataclass(frozen=True)
class Accepted:
    """yes"""


@dataclass(frozen=True)
class Broken:
    message: str


@dataclass(frozen=True)
class Rejected:
    bits: bytes

    def mask(self, size: int) -> npt.NDArray[np.bool_]:
        return np.unpackbits(np.frombuffer(self.bits, dtype=np.uint8), count=size, bitorder="little").astype(np.bool_)


class Oracle:
    def fileno(self) -> int:
        return -1

    def ask(self, token: int) -> None: ...
    def accept(self, token: int) -> None: ...
    def hear(self) -> OracleReady | Accepted | Rejected | Broken | None:
        return None

    def close(self) -> None: ...


class Oracles:
    def __init__(self, path: object) -> None: ...
    def open(self, gbnf: str, prefix: tuple[int, ...]) -> Oracle:
        return Oracle()
