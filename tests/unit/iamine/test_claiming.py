"""A person and the workers of his account, with the pool in memory."""

import argparse
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from iamine import claiming
from iamine.client import Access, Client, ClientError

WORKER = {"id": "wrk_1", "name": "attic", "claimed_at": 1.0, "last_seen": None, "linked": True, "models": ["mote"]}
Handler = Callable[[httpx.Request], httpx.Response]


def asked(monkeypatch: pytest.MonkeyPatch, handler: Handler, *arguments: str) -> int:
    """Run the command against a pool that answers like this."""
    client = Client(Access(base_url="http://pool:1/v1", api_key="im_1"), transport=httpx.MockTransport(handler))
    monkeypatch.setattr(claiming, "open_client", lambda args: client)
    parser = argparse.ArgumentParser()
    claiming.register(parser.add_subparsers(required=True))
    args = parser.parse_args(arguments)
    return int(args.run(args))


def pool(request: httpx.Request) -> httpx.Response:
    """Has one worker, with one code."""
    assert request.headers["authorization"] == "Bearer im_1"
    match request.method, request.url.path:
        case "POST", "/v1/me/workers/claim" if json.loads(request.content) == {"code": "7KQ4-M2XN"}:
            return httpx.Response(200, json=WORKER)
        case "GET", "/v1/me/workers":
            return httpx.Response(200, json={"object": "list", "data": [WORKER]})
        case "DELETE", "/v1/me/workers/wrk_1":
            return httpx.Response(200, json={"id": "wrk_1", "deleted": True})
    code = "worker_not_found" if request.method == "DELETE" else "claim_code_unknown"
    return httpx.Response(404, json={"error": {"message": "no", "code": code}})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("claim", "7KQ4-M2XN"), "yours: attic (wrk_1)"),
        (("workers",), "wrk_1"),
        (("unclaim", "wrk_1"), "wrk_1 is nobody's now"),
    ],
)
def test_a_worker_is_claimed_listed_and_given_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert asked(monkeypatch, pool, *arguments) == 0
    assert said in capsys.readouterr().out
    assert asked(monkeypatch, pool, *arguments, "--json") == 0
    assert "wrk_1" in json.dumps(json.loads(capsys.readouterr().out))


@pytest.mark.parametrize(
    ("arguments", "hint"), [(("claim", "ZZZZ-ZZZZ"), "changes every hour"), (("unclaim", "wrk_2"), "`iamine workers`")]
)
def test_what_is_refused_says_what_to_try(monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], hint: str) -> None:
    with pytest.raises(ClientError) as caught:
        asked(monkeypatch, pool, *arguments)
    assert hint in caught.value.hint


def test_an_account_without_workers_is_told_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked(monkeypatch, lambda request: httpx.Response(200, json={"data": []}), "workers") == 0
    assert "iamine claim CODE" in capsys.readouterr().out
    with pytest.raises(ClientError):
        asked(monkeypatch, lambda request: httpx.Response(200, json={"data": 3}), "workers")


@pytest.mark.parametrize(
    ("changes", "now"),
    [({}, "mote"), ({"models": []}, "no model"), ({"linked": False}, "away"), ({"claimed_at": "?", "linked": None}, "away")],
)
def test_a_line_about_a_worker(changes: dict[str, Any], now: str) -> None:
    told = claiming.row(WORKER | changes)
    assert (told[0], told[2], told[4]) == ("wrk_1", now, "-")
