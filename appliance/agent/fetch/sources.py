"""Where model files come from: folders, mirrors laid out like a models folder, and the hub, each by the file's name or hash."""

import re
import ssl
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import httpx

from iamine.manifest import File, Model

CHUNK_BYTES = 128 << 10
CONNECT_S, STALL_S = 10.0, 30.0
HUB_PATH = "/{repo}/resolve/{revision}/{path}"  # appended to a hub's address that names no {path} of its own
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)$")
_OK, _PARTIAL, _BEYOND, _TOO_MANY, _SERVER = 200, 206, 416, 429, 500


class NotThere(Exception):
    """The source does not have the file; it is not asked again."""


class Broken(Exception):
    """The source failed, before or in mid-file; asking again may help."""


class Wrong(Exception):
    """The source serves something else than the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bytes:
    """What a source sends; `start` is where in the file it begins."""

    start: int
    chunks: Iterator[bytes]


class Source(Protocol):
    """Somewhere that may have the file."""

    @property
    def name(self) -> str:
        """For people."""

    def open(self, model: Model, file: File, start: int) -> AbstractContextManager[Bytes]:
        """The file from byte `start` on, or from its beginning. Raises NotThere, Broken, Wrong, also while it is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A folder on this machine or on another disk: the file lies in it by name, or as in a models folder."""

    path: Path

    @property
    def name(self) -> str:
        """The folder itself."""
        return str(self.path)

    def has(self, model: Model) -> bool:
        """Whether all the model's files seem to be there."""
        return all(self._find(model, file) for file in model.file)

    @contextmanager
    def open(self, model: Model, file: File, start: int) -> Iterator[Bytes]:
        """The file's bytes."""
        path = self._find(model, file)
        if path is None:
            raise NotThere(f"{self.path} has no {Path(file.path).name} of {file.bytes} bytes")
        yield Bytes(start=start, chunks=_read(path, start))

    def _find(self, model: Model, file: File) -> Path | None:
        base = Path(file.path).name
        for path in (self.path / model.file_sha256 / base, self.path / base):
            with suppress(OSError):
                if path.stat().st_size == file.bytes:
                    return path
        return None


def _read(path: Path, start: int) -> Iterator[bytes]:
    """The file's bytes from `start` on. Raises Broken."""
    try:
        with path.open("rb") as opened:
            opened.seek(start)
            while chunk := opened.read(CHUNK_BYTES):
                yield chunk
    except OSError as error:
        raise Broken(f"{path}: {error.strerror}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """A web server; `address` holds {repo}, {revision}, {path}, {sha256} or {name} (of a file in a models folder)."""

    name: str
    address: str
    stall_s: float = STALL_S

    def url(self, model: Model, file: File) -> str:
        """Where the file lies there."""
        parts = {"repo": model.repo, "revision": model.revision, "path": file.path, "sha256": model.file_sha256}
        parts["name"] = Path(file.path).name
        return re.sub(r"\{(\w+)\}", lambda found: quote(parts.get(found[1], "")), self.address)

    @contextmanager
    def open(self, model: Model, file: File, start: int) -> Iterator[Bytes]:
        """The file's bytes; a server that does not know ranges sends it from the beginning."""
        if "{repo}" in self.address and not model.repo:
            raise NotThere("no hub has it: it is made by a recipe")
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={start}-"} if start else {})}
        timeout = httpx.Timeout(self.stall_s, connect=CONNECT_S)
        try:
            with httpx.stream(
                "GET", self.url(model, file), headers=headers, timeout=timeout, follow_redirects=True, verify=trust()
            ) as answer:
                yield Bytes(start=_start(answer, file, start), chunks=answer.iter_raw(CHUNK_BYTES))
        except httpx.TimeoutException as error:
            raise Broken(f"it sent nothing for {self.stall_s:.0f} s") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Broken(str(error) or type(error).__name__) from error


@lru_cache(maxsize=1)
def trust() -> ssl.SSLContext:
    """The certificates to trust; reading them takes 0.1 s, so they are read once."""
    return httpx.create_ssl_context()


def mirror(address: str) -> Web:
    """A server over somebody's models folder: a peer on the LAN, or the pool's."""
    return Web(name=address, address=address.rstrip("/") + "/{sha256}/{name}")


def hub(address: str) -> Web:
    """The hub; its address may say itself where things lie, with {repo}, {revision} and {path}."""
    return Web(name=address, address=address if "{path}" in address else address.rstrip("/") + HUB_PATH)


def _start(answer: httpx.Response, file: File, wanted: int) -> int:
    """Where the answer begins in the file. Raises NotThere, Broken, Wrong."""
    status = answer.status_code
    if status == _OK:
        return 0
    if status == _PARTIAL:
        found = _RANGE.match(answer.headers.get("Content-Range", ""))
        if found is None or int(found[1]) != wanted or found[2] not in ("*", str(file.bytes)):
            raise Wrong(f"it answers with the range {answer.headers.get('Content-Range', 'missing')!r}")
        return wanted
    if status == _BEYOND:
        raise Wrong(f"its file is shorter than {file.bytes} bytes")
    if status == _TOO_MANY or status >= _SERVER:
        raise Broken(f"it answers {status}")
    raise NotThere(f"it answers {status}")
