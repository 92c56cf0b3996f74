"""What the volunteer sees."""

import dataclasses
import io
from dataclasses import replace
from datetime import datetime, timezone

import pytest
from rich.console import Console

from appliance.agent.screen import LiveScreen, PlainScreen, counts, error_line, link_line, open_screen, panel
from appliance.agent.types import Connecting, Linked, LinkState, Status, Unlinked
from iamine.errors import IamineError
from iamine.ids import ModelId, SessionId, WorkerId
from iamine.wire.messages import ModelOffer

LINKED = Linked(pool="p", fingerprint="f", worker=WorkerId("wrk_1"), session=SessionId("s"))
OFFER = ModelOffer(model=ModelId("mote"), file_sha256="", slots=8, context_tokens=1024, vocabulary_tokens=1)


def noon() -> datetime:
    return datetime(2026, 11, 22, 12, 0, 1, tzinfo=timezone.utc)


def status(*, done: int = 0, failed: int = 0, draining: bool = False, link: LinkState | None = LINKED) -> Status:
    return Status(
        models=(OFFER,), link=link, running=0, jobs_done=done, jobs_failed=failed, tokens=7, rate_tps=1.26, draining=draining
    )  # fmt: skip


def test_a_plain_line_has_its_time() -> None:
    out = io.StringIO()
    PlainScreen(out, noon).say("linked")
    assert out.getvalue() == "12:00:01 linked\n"


def test_counts_are_told_when_they_changed_and_there_are_any() -> None:
    out = io.StringIO()
    screen = PlainScreen(out, noon)
    for each in (status(), status(done=1), status(done=1), status(done=2)):
        screen.show(each)
    screen.close()
    assert len(out.getvalue().splitlines()) == 2


def test_a_rest_and_its_reason_are_shown_before_anything_else() -> None:
    resting = replace(status(done=2, draining=True), models=(), resting="paused by its owner until 14:30")
    assert counts(resting).endswith("(paused by its owner until 14:30)")
    out = io.StringIO()
    Console(file=out, width=80).print(panel(resting, ""))
    assert "rest" in out.getvalue() and "paused by its owner until 14:30" in out.getvalue()


def test_counts_name_failures_and_draining_only_when_there_are_any() -> None:
    assert counts(status(done=2)) == "jobs: 0 running, 2 done, 7 tokens, 1.3 tokens/s"
    assert counts(status(failed=1, draining=True)) == "jobs: 0 running, 0 done, 1 failed, 7 tokens, 1.3 tokens/s (draining)"


@pytest.mark.parametrize(
    ("link", "said"),
    [
        (LINKED, "linked to p"),
        (Connecting(url="ws://u"), "connecting to ws://u"),
        (Unlinked(reason="gone", retry_in_s=2.4), "gone; next try in 2 s"),
        (None, "not linked yet"),
    ],
)
def test_the_link_is_told_in_words(link: LinkState | None, said: str) -> None:
    assert said in link_line(link)[0]


def test_the_panel_shows_model_reason_pool_and_work() -> None:
    out = io.StringIO()
    Console(file=out, width=100).print(panel(status(done=3), "the largest"))
    assert all(part in out.getvalue() for part in ("mote, 8 x 1024 tokens", "the largest", "linked to p", "3 done"))


def test_a_terminal_gets_the_picture_and_events_above_it() -> None:
    out = io.StringIO()
    screen = LiveScreen(Console(file=out, force_terminal=True, width=100), noon, lambda: "why")
    screen.show(status(done=4))
    screen.say("[an event]")
    screen.close()
    assert "4 done" in out.getvalue()
    assert "[an event]" in out.getvalue()


def test_without_a_terminal_lines_are_plain() -> None:
    assert isinstance(open_screen(io.StringIO(), noon, plain=False, why=str), PlainScreen)


def test_an_error_is_one_line_with_what_to_try() -> None:
    assert error_line(IamineError("broken", hint="mend it")) == "broken; mend it"
    assert error_line(IamineError("broken")) == "broken"


def test_the_panel_says_why_no_job_comes() -> None:
    out = io.StringIO()
    shown = dataclasses.replace(status(), standing="others are owed more work")
    Console(file=out, width=100).print(panel(shown, ""))
    assert "others are owed more work" in out.getvalue()
