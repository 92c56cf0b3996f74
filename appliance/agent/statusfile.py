"""The screen's story for other programs: a small JSON file, written anew when it changed, never half."""

import secrets
from collections import deque
from contextlib import suppress
from pathlib import Path

import msgspec

from appliance.agent.screen import Clock, Screen
from appliance.agent.types import Linked, Status
from appliance.agent.view import claim, link_line

LINES_KEPT = 8


class StatusFile:
    """A screen that passes everything on to another one and keeps the file."""

    def __init__(self, inner: Screen, path: Path, now: Clock) -> None:
        self.every_s, self.progress_every_s, self.board = inner.every_s, inner.progress_every_s, inner.board
        self._inner = inner
        self._path = path
        self._now = now
        self._lines: deque[str] = deque(maxlen=LINES_KEPT)
        self._status: Status | None = None
        self._written = ""

    def say(self, line: str) -> None:
        """An event."""
        self._lines.append(f"{self._now():%H:%M:%S} {line}")
        self._write()
        self._inner.say(line)

    def show(self, status: Status) -> None:
        """The state of things."""
        self._status = status
        self._write()
        self._inner.show(status)

    def close(self) -> None:
        """The file stays: its reader sees that it grows old."""
        self._inner.close()

    def _write(self) -> None:
        text = msgspec.json.encode(told(self._status, tuple(self._lines), self.board.claim_page)).decode()
        if text == self._written:
            return
        draft = self._path.with_name(f".{self._path.name}.{secrets.token_hex(4)}")
        with suppress(OSError):  # a picture that cannot be drawn stops nobody from working
            draft.write_text(text)
            draft.chmod(0o644)
            draft.replace(self._path)
            self._written = text


def told(status: Status | None, lines: tuple[str, ...], claim_page: str = "") -> dict[str, object]:
    """The file's content."""
    if status is None:
        return {"linked": False, "link": "", "models": [], "lines": lines}
    return {
        "linked": isinstance(status.link, Linked),
        "link": link_line(status.link)[0],
        "fingerprint": status.link.fingerprint if isinstance(status.link, Linked) else "",
        "models": [f"{offer.model}, {offer.slots} x {offer.context_tokens} tokens" for offer in status.models],
        "running": status.running,
        "done": status.jobs_done,
        "failed": status.jobs_failed,
        "tokens": status.tokens,
        "rate_tps": round(status.rate_tps, 1),
        "draining": status.draining,
        "claim": claim(status.owner, status.claim_code, claim_page),
        "course": status.course,
        "lines": lines,
    }
