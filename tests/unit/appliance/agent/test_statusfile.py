"""The state of things for other programs."""

import json
from datetime import datetime, timezone
from pathlib import Path

from appliance.agent.board import Board
from appliance.agent.statusfile import LINES_KEPT, StatusFile
from appliance.agent.types import Linked, Status, Unlinked
from iamine.ids import SessionId, WorkerId


class Recorder:
    """A screen that remembers."""

    every_s = progress_every_s = 3.0

    def __init__(self) -> None:
        self.board = Board(clock, lambda: 0.0)
        self.heard: list[object] = []

    def say(self, line: str) -> None:
        self.heard.append(line)

    def show(self, status: Status) -> None:
        self.heard.append(status)

    def close(self) -> None:
        self.heard.append("closed")


def status(link: Linked | Unlinked | None) -> Status:
    return Status(models=(), link=link, running=1, jobs_done=2, jobs_failed=3, tokens=4, rate_tps=5.55, draining=False)


def clock() -> datetime:
    return datetime(2026, 11, 22, 12, 0, 0, tzinfo=timezone.utc)


def test_everything_goes_on_to_the_inner_screen_and_into_the_file(tmp_path: Path) -> None:
    inner, path = Recorder(), tmp_path / "status.json"
    screen = StatusFile(inner, path, clock)
    screen.say("loading")
    assert json.loads(path.read_text()) == {"linked": False, "link": "", "models": [], "lines": ["12:00:00 loading"]}
    linked = status(Linked(pool="P", fingerprint="f", worker=WorkerId("wrk_1"), session=SessionId("s")))
    screen.show(linked)
    found = json.loads(path.read_text())
    assert found["linked"] is True and found["link"] == "linked to P as wrk_1"
    assert (found["running"], found["done"], found["failed"], found["tokens"], found["rate_tps"]) == (1, 2, 3, 4, 5.5)
    screen.show(status(Unlinked(reason="gone", retry_in_s=2.0)))
    assert json.loads(path.read_text())["linked"] is False
    screen.close()
    assert inner.heard[0] == "loading" and inner.heard[1] is linked and inner.heard[-1] == "closed"
    assert screen.every_s == inner.every_s and [each.name for each in tmp_path.iterdir()] == ["status.json"]


def test_only_the_last_lines_are_kept(tmp_path: Path) -> None:
    screen = StatusFile(Recorder(), tmp_path / "s", clock)
    for number in range(LINES_KEPT + 3):
        screen.say(str(number))
    lines = json.loads((tmp_path / "s").read_text())["lines"]
    assert len(lines) == LINES_KEPT and lines[-1].endswith(str(LINES_KEPT + 2))


def test_a_file_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    inner = Recorder()
    StatusFile(inner, tmp_path / "no" / "such" / "folder", clock).say("on")
    assert inner.heard == ["on"]
