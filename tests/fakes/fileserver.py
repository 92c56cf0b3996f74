"""A web server for one file that misbehaves as it is told, each request by the next of its moods."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STALL_S = 5.0
REDIRECTS = {
    "redirects": "/elsewhere{path}",
    "redirects to nowhere": "http://127.0.0.1:1/",
    "redirects to a disk": "file:///etc/passwd",
}
MOODS = (
    "drop", "stall", "says too long", "says too short", "ends at no length", "sends too much", "wrong bytes", "wrong range",
    "no ranges", "changes", "404", "429", "503", *REDIRECTS, "good",
)  # fmt: skip


class FileServer(ThreadingHTTPServer):
    """Serves `content`; `moods` are used up one by one, then it is good. `asked` collects (path, Range).

    The mood "changes" has `content` and `later` change places.
    """

    daemon_threads = True

    def __init__(self, content: bytes, moods: Sequence[str] = (), *, pause_s: float = 0.0) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content, self.later, self.moods, self.pause_s = content, content, list(moods), pause_s
        self.asked: list[tuple[str, str]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is what the tests do."""


class _Handler(BaseHTTPRequestHandler):
    server: FileServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Nothing to say."""

    def do_GET(self) -> None:
        said = self.headers.get("Range", "")
        self.server.asked.append((self.path, said))
        mood = self.server.moods.pop(0) if self.server.moods else "good"
        if mood == "changes":  # whoever resumes gets the rest of another file
            self.server.content, self.server.later = self.server.later, self.server.content
        content = self.server.content
        start = int(said.removeprefix("bytes=").rstrip("-") or 0) if said else 0
        if mood.isdigit():
            self._answer(int(mood), b"", 0)
        elif mood in REDIRECTS:
            self._answer(302, b"", 0, {"Location": REDIRECTS[mood].format(path=self.path)})
        elif mood == "no ranges" or not start:
            self._body(200, content, mood, {})
        elif start >= len(content):
            self._answer(416, b"", 0)
        elif mood == "wrong range":
            self._body(206, content, mood, {"Content-Range": f"bytes 0-{len(content) - 1}/{len(content)}"})
        else:
            total = len(content)
            self._body(206, content[start:], mood, {"Content-Range": f"bytes {start}-{total - 1}/{total}"})

    def _body(self, status: int, body: bytes, mood: str, headers: dict[str, str]) -> None:
        half = len(body) // 2
        match mood:
            case "drop":
                self._answer(status, body[:half], len(body), headers)
                self.close_connection = True
            case "stall":
                self._answer(status, body[:half], len(body), headers)
                time.sleep(STALL_S)
                self.close_connection = True
            case "ends at no length":
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body[:half])
                self.close_connection = True
            case "says too long":
                self._answer(status, body, len(body) + 1000, headers)
                self.close_connection = True
            case "says too short":
                self._answer(status, body[:half], half, headers)
            case "sends too much":
                self._answer(status, body + b"more", len(body) + 4, headers)
            case "wrong bytes":
                self._answer(status, bytes([body[0] ^ 1]) + body[1:], len(body), headers)
            case _:
                self._answer(status, body, len(body), headers)

    def _answer(self, status: int, body: bytes, length: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(length), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        step = 65536
        for at in range(0, len(body), step):
            self.wfile.write(body[at : at + step])
            if self.server.pause_s:
                time.sleep(self.server.pause_s)


@contextmanager
def serving(content: bytes, *moods: str, pause_s: float = 0.0) -> Iterator[FileServer]:
    """A running server."""
    server = FileServer(content, moods, pause_s=pause_s)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
