"""Status and what was told, as one value that JSON carries whole."""

import msgspec
import pytest

from appliance.agent.qr import half_blocks
from appliance.agent.types import Connecting, Linked, LinkState, Status, Unlinked
from appliance.agent.view import Claim, Download, Line, Problem, Told, View, claim, claim_line, counts, link_line, view
from iamine.ids import ModelId, SessionId, WorkerId
from iamine.wire.messages import ModelOffer

LINKED = Linked(pool="p", fingerprint="f", worker=WorkerId("wrk_1"), session=SessionId("s"))
OFFER = ModelOffer(model=ModelId("mote"), file_sha256="", slots=8, context_tokens=1024, vocabulary_tokens=1)


def status(*, done: int = 0, failed: int = 0, draining: bool = False, resting: str = "") -> Status:
    return Status(
        models=(OFFER,),
        link=LINKED,
        running=0,
        jobs_done=done,
        jobs_failed=failed,
        tokens=7,
        rate_tps=1.264,
        draining=draining,
        resting=resting,
    )


@pytest.mark.parametrize(
    ("link", "said", "light"),
    [
        (LINKED, "linked to p as wrk_1", "green"),
        (Connecting(url="ws://u"), "connecting to ws://u", "yellow"),
        (Unlinked(reason="gone", retry_in_s=2.4), "gone; next try in 2 s", "red"),
        (None, "not linked yet", "yellow"),
    ],
)
def test_the_link_is_told_in_words(link: LinkState | None, said: str, light: str) -> None:
    assert link_line(link) == (said, light)


def test_counts_name_failures_and_the_state_only_when_there_are_any() -> None:
    assert counts(status(done=2)) == "jobs: 0 running, 2 done, 7 tokens, 1.3 tokens/s"
    assert counts(status(failed=1, draining=True)) == "jobs: 0 running, 0 done, 1 failed, 7 tokens, 1.3 tokens/s (draining)"
    assert counts(status(resting="paused", draining=True)).endswith("(paused)")


def test_a_rest_comes_before_draining() -> None:
    assert view(status(resting="paused", draining=True), Told()).state == "paused"
    assert "draining" in view(status(draining=True), Told()).state
    assert view(status(), Told()).state == ""


def test_a_view_goes_through_json_and_back() -> None:
    told = Told(
        machine="m",
        why=("w",),
        download=Download(title="d", done_bytes=1, total_bytes=3, bytes_per_s=2.0),
        problems=tuple(Problem(at="1", text=str(n), advice="a") for n in range(5)),
        lines=tuple(Line(at="1", text=str(n)) for n in range(50)),
        hour_tps=(0.123456,) * 60,
    )
    seen = view(status(done=3), told)
    assert [each.text for each in seen.problems] == ["2", "3", "4"] and len(seen.lines) == 40
    assert msgspec.json.decode(msgspec.json.encode(seen), type=View) == seen


def test_the_time_left_is_unknown_until_a_rate_is_known() -> None:
    assert Download(title="", done_bytes=1, total_bytes=9).left_s is None
    assert Download(title="", done_bytes=1, total_bytes=9, bytes_per_s=2.0).left_s == 4.0


def test_a_worker_that_nobody_owns_shows_how_to_claim_it() -> None:
    said = claim("", "7KQ4-M2XN", "http://p/claim")
    assert said is not None and said.qr == half_blocks("http://p/claim#7KQ4-M2XN")
    assert claim_line(said) == "7KQ4-M2XN at http://p/claim"
    nowhere = claim("", "7KQ4-M2XN", "")
    assert nowhere is not None and (nowhere.qr, claim_line(nowhere)) == ((), "iamine claim 7KQ4-M2XN")
    assert claim("", "", "http://p/claim") is None
    owned = claim("Ann", "7KQ4-M2XN", "http://p/claim")
    assert owned == Claim(owner="Ann") and claim_line(owned) == "claimed by Ann"
