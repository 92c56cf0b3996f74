"""A models folder for the local network, read-only: files that lie there by their hash, and nothing else (ranges: RFC 9110)."""

import ipaddress
import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import socket
from typing import BinaryIO

MAX_CONNECTIONS = 32
SILENCE_S = 30.0  # of a client that takes nothing
_PLACE = re.compile(r"/([0-9a-f]{64})/([\w][\w.-]{0,200}\.gguf)")
_RANGE = re.compile(r"bytes=(\d{1,19})-(\d{0,19})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A part of a file; `whole`: it was not asked for a part."""

    start: int
    length: int
    whole: bool


def span(asked: str, size_bytes: int) -> Span | None:
    """The part that a Range header asks for; a form that is not served counts as none asked. None: it lies beyond the end."""
    found = _RANGE.fullmatch(asked.strip())
    if found is None or (found[2] and int(found[2]) < int(found[1])):
        return Span(start=0, length=size_bytes, whole=True)
    start, last = int(found[1]), min(int(found[2] or size_bytes), size_bytes - 1)
    return Span(start=start, length=last - start + 1, whole=False) if start < size_bytes else None


def shared(folder: Path) -> dict[str, int]:
    """What the folder has for others: path (hash/name) and bytes."""
    files = {f"{path.parent.name}/{path.name}": path for path in sorted(folder.glob("*/*.gguf")) if _is_ours(path)}
    return {name: path.stat().st_size for name, path in files.items() if _PLACE.fullmatch(f"/{name}")}


def _is_ours(path: Path) -> bool:
    """A file of the folder itself: no link leads out of it."""
    return path.is_file() and not path.is_symlink() and not path.parent.is_symlink()


class ModelServer(ThreadingHTTPServer):
    """Serves `folder` to addresses of local networks. `told` hears who takes what."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, place: tuple[str, int], folder: Path, told: Callable[[str], None]) -> None:
        self.folder, self.told = folder.resolve(), told
        self._free = threading.BoundedSemaphore(MAX_CONNECTIONS)
        super().__init__(place, _Answer)

    def process_request(self, request: "socket | tuple[bytes, socket]", client_address: object) -> None:
        """One more connection, unless there are too many: then the client comes again later."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: "socket | tuple[bytes, socket]", client_address: object) -> None:
        """The connection's whole life."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away."""


class _Answer(BaseHTTPRequestHandler):
    server: ModelServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "iamine", ""
    timeout = SILENCE_S

    def do_HEAD(self) -> None:
        """As GET, without the bytes."""
        self._serve(bytes_too=False)

    def do_GET(self) -> None:
        """A file, or a part of it."""
        self._serve(bytes_too=True)

    def log_message(self, *_: object) -> None:
        """Told in our own words."""

    def _serve(self, *, bytes_too: bool) -> None:
        if ipaddress.ip_address(self.client_address[0]).is_global:
            return self.send_error(HTTPStatus.FORBIDDEN, "for the local network only")
        file = self._opened()
        if file is None:
            return self.send_error(HTTPStatus.NOT_FOUND)
        with file:
            size = os.fstat(file.fileno()).st_size
            part = span(self.headers.get("Range", ""), size)
            if part is None:
                return self._refuse(size)
            self._head(part, size)
            if bytes_too:
                if not part.start:
                    self.server.told(f"{self.client_address[0]} takes {self.path.rpartition('/')[2]}")
                self.connection.sendfile(file, part.start, part.length)
        return None

    def _opened(self) -> BinaryIO | None:
        """The file, unless it is none of ours: a name that leads out of the folder is not followed."""
        found = _PLACE.fullmatch(self.path)
        path = self.server.folder / found[1] / found[2] if found else None
        if path is None or not _is_ours(path):
            return None
        try:
            return path.open("rb")
        except OSError:
            return None

    def _head(self, part: Span, size: int) -> None:
        self.send_response(HTTPStatus.OK if part.whole else HTTPStatus.PARTIAL_CONTENT)
        if not part.whole:
            self.send_header("Content-Range", f"bytes {part.start}-{part.start + part.length - 1}/{size}")
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(part.length))
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()

    def _refuse(self, size: int) -> None:
        self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
        self.send_header("Content-Range", f"bytes */{size}")
        self.send_header("Content-Length", "0")
        self.end_headers()
