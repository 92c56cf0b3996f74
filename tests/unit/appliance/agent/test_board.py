"""What was told is kept: the last three problems, each with what to do."""

from dataclasses import replace
from datetime import datetime, timezone

from appliance.agent.board import FAILURE_ADVICE, LINK_ADVICE, NOTHING, Board
from appliance.agent.errors import AgentError
from appliance.agent.types import Unlinked
from appliance.agent.view import Download, Gauge

NOON = datetime(2026, 11, 22, 12, 0, 1, tzinfo=timezone.utc)
GAUGE = Gauge(name="CPU", celsius=50.0)


def board() -> Board:
    return Board(lambda: NOON, lambda: 600.0, lambda: (GAUGE,))


def test_machine_reasons_fetch_and_sensors_are_shown_as_told() -> None:
    shown, download = board(), Download(title="t", done_bytes=1, total_bytes=2)
    shown.about("a machine")
    shown.chosen(["r"])
    shown.fetching(download)
    shown.say("x" * 1000)
    seen = shown.view()
    assert (seen.machine, seen.why, seen.download, seen.gauges) == ("a machine", ("r",), download, (GAUGE,))
    assert (seen.lines[0].at, len(seen.lines[0].text)) == ("12:00:01", 400)
    shown.fetching(None)
    assert shown.view().download is None
    assert Board(lambda: NOON, lambda: 0.0).view().gauges == ()


def test_the_last_three_problems_stay_and_one_that_repeats_is_one() -> None:
    shown = board()
    for name in ("a", "b", "c", "b", "d"):
        shown.failed(AgentError(name, hint=f"do {name}"))
    assert [(each.text, each.advice) for each in shown.view().problems] == [("c", "do c"), ("b", "do b"), ("d", "do d")]


def test_a_lost_link_and_a_failed_job_are_problems_once_each() -> None:
    shown = board()
    bad = replace(NOTHING, link=Unlinked(reason="gone", retry_in_s=1.0), jobs_failed=1, last_failure="engine_lost")
    shown.view(bad)
    seen = shown.view(bad)
    assert [(each.text, each.advice) for each in seen.problems] == [
        ("gone", LINK_ADVICE),
        ("a job failed: engine_lost", FAILURE_ADVICE["engine_lost"]),
    ]
    assert seen.light == "red" and shown.view().jobs_failed == 1


def test_tokens_are_counted_for_the_hour() -> None:
    shown = board()
    shown.view(NOTHING)
    assert shown.view(replace(NOTHING, tokens=50)).hour_tps[-1] == 10.0


def test_a_code_leads_to_the_page_where_it_is_typed() -> None:
    shown = board()
    shown.claimed_at("http://p/claim")
    claim = shown.view(replace(NOTHING, claim_code="7KQ4-M2XN")).claim
    assert claim is not None and (claim.page, claim.code) == ("http://p/claim", "7KQ4-M2XN") and claim.qr
