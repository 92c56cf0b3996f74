"""Verdicts outlive the agent: a small JSON file of the data folder, bounded in number, written whole or not at all."""

import contextlib
import hashlib
import math
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import msgspec

from appliance.agent.verdict import Place, Verdict

FILE_NAME = "verdicts.json"
VERSION = 1
MAX_ENTRIES = 64  # the oldest go
MAX_BYTES = 1 << 20
ENGINE = "llama-cpp-python"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A verdict and where it holds."""

    place: Place
    verdict: Verdict


class _Version(msgspec.Struct, frozen=True, kw_only=True):
    version: int


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    verdicts: list[Entry]


class VerdictFile:
    """The verdicts that hold in one place. Every change is written at once, beside what others wrote meanwhile."""

    def __init__(self, folder: Path, place: Place, say: Callable[[str], None]) -> None:
        self._path, self._place, self._say = folder / FILE_NAME, place, say
        self._known = {each.verdict.file_sha256: each.verdict for each in self._read() if each.place == place}

    @property
    def known(self) -> Mapping[str, Verdict]:
        """By file hash."""
        return self._known

    def keep(self, verdict: Verdict, *, lasting: bool = True) -> None:
        """Remember it in place of the one before; not `lasting`: only while this process lives."""
        self._known[verdict.file_sha256] = verdict
        if not lasting:
            return
        entry = Entry(place=self._place, verdict=verdict)
        others = [each for each in self._read(quiet=True) if not _same(each, entry)]
        newest = sorted([*others, entry], key=lambda each: each.verdict.at)[-MAX_ENTRIES:]
        try:
            _write(self._path, msgspec.json.format(msgspec.json.encode(_Kept(version=VERSION, verdicts=newest))))
        except OSError as error:
            self._say(f"what was measured is forgotten when this ends: {self._path} cannot be written ({error.strerror})")

    def _read(self, *, quiet: bool = False) -> list[Entry]:
        """What the file holds; one that cannot be used is told (unless `quiet`) and counts as empty."""
        try:
            return _decoded(self._path)
        except FileNotFoundError:
            return []
        except (OSError, msgspec.DecodeError, ValueError) as error:
            if not quiet:
                self._say(f"{self._path} cannot be used ({error}); what was measured before is measured again")
            return []


def build(folder: str) -> str:
    """The build of the engine's libraries in the folder: the package's version, and each library's size and time of change."""
    version = "unknown"
    with contextlib.suppress(metadata.PackageNotFoundError):
        version = metadata.version(ENGINE)
    files = []
    with contextlib.suppress(OSError):
        files = (
            sorted(path for path in Path(folder).iterdir() if path.name.startswith(("lib", "llama", "ggml"))) if folder else []
        )
    told = []
    for path in files:
        with contextlib.suppress(OSError):
            stat = path.stat()
            told.append((path.name, stat.st_size, int(stat.st_mtime)))
    return f"{version} {_digest(told)}" if told else version


def _digest(told: list[tuple[str, int, int]]) -> str:
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def _decoded(path: Path) -> list[Entry]:
    """Raises OSError, msgspec.DecodeError, or ValueError for what was read whole but makes no sense."""
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES} bytes")
    data = path.read_bytes()
    version = msgspec.json.decode(data, type=_Version).version
    if version != VERSION:
        raise ValueError(f"it is of version {version}, and this program writes {VERSION}")
    entries = msgspec.json.decode(data, type=_Kept).verdicts
    if not all(_sound(each.verdict) for each in entries):
        raise ValueError("a figure in it is below zero or beyond any machine")
    return entries[-MAX_ENTRIES:]


def _sound(verdict: Verdict) -> bool:
    figures = (
        verdict.at, verdict.slots, verdict.context_tokens, verdict.load_s, verdict.prefill_tps, verdict.prefill_tokens,
        verdict.decode_tps, verdict.decode_all_tps, verdict.expected_tps,
    )  # fmt: skip
    return all(math.isfinite(each) and 0 <= each < 1e12 for each in figures)


def _same(one: Entry, other: Entry) -> bool:
    return one.place == other.place and one.verdict.file_sha256 == other.verdict.file_sha256


def _write(path: Path, data: bytes) -> None:
    """Raises OSError."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with fresh.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise
