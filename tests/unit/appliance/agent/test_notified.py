"""The screen behind which systemd listens."""

import io
import socket
from datetime import datetime, timezone
from pathlib import Path

from appliance.agent.notified import Notified
from appliance.agent.notify import Notify
from appliance.agent.screen import PlainScreen
from appliance.agent.types import Status

STATUS = Status(
    models=(), link=None, running=0, jobs_done=2, jobs_failed=0, tokens=9, rate_tps=3.0, draining=False, resting="", standing=""
)


def heard(link: socket.socket) -> list[str]:
    found = []
    link.setblocking(False)
    try:
        while True:
            found.append(link.recv(4096).decode())
    except BlockingIOError:
        return found


def test_systemd_hears_events_and_changes_of_the_state(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
        link.bind(str(tmp_path / "notify"))
        out = io.StringIO()
        inner = PlainScreen(out, lambda: datetime(2026, 11, 27, tzinfo=timezone.utc))
        screen = Notified(inner, Notify(address=link.getsockname()))
        screen.say("checking x.gguf: 1 of 9 GB")
        assert heard(link) == ["STATUS=checking x.gguf: 1 of 9 GB"]
        screen.show(STATUS)
        screen.show(STATUS)
        assert heard(link) == ["STATUS=not linked yet; jobs: 0 running, 2 done, 9 tokens, 3.0 tokens/s"]
        screen.close()
    assert "checking" in out.getvalue() and "2 done" in out.getvalue()
    assert (screen.every_s, screen.board) == (inner.every_s, inner.board)
